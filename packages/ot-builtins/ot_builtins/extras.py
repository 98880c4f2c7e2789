"""Optional dependencies: imported when a component first needs one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from offline_trainer_core.errors import ComponentError

__all__ = ["import_extra"]


def import_extra(module: str, extra: str, purpose: str) -> Any:
    """Import `module`, which comes with `ot-builtins[extra]`.

    Raises `ComponentError` with the command that installs it where it is missing.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ComponentError(
            f"{purpose} needs {module}, which is not installed\n  to mend it: pip install 'ot-builtins[{extra}]'"
        ) from error
