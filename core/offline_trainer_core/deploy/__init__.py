"""What becomes of a trained policy: it is loaded to act, and exported to act elsewhere. Nothing in here trains."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offline_trainer_core.deploy.building import build_policy
    from offline_trainer_core.deploy.exporting import Exported, export_policy
    from offline_trainer_core.deploy.loading import load_policy

__all__ = ["Exported", "build_policy", "export_policy", "load_policy"]

_MODULES = {
    "Exported": "exporting",
    "build_policy": "building",
    "export_policy": "exporting",
    "load_policy": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
