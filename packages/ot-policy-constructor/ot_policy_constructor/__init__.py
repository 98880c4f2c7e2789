"""YAML to `torch.nn.Module`: sequential and graph models for Offline Trainer, and for anyone."""

from typing import TYPE_CHECKING, Any

from ot_policy_constructor.build import build_model
from ot_policy_constructor.ir import compile_ir

if TYPE_CHECKING:
    from offline_trainer_core import load_policy

__all__ = ["build_model", "compile_ir", "load_policy"]


def __getattr__(name: str) -> Any:
    if name != "load_policy":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from offline_trainer_core import load_policy  # readers of models, which a check imports, do without

    return load_policy
