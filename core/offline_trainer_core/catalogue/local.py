"""Imports local modules, which are not packaged yet, and lets them register their components."""

from __future__ import annotations

import sys
from importlib import import_module

from offline_trainer_core.catalogue.registry import Registry
from offline_trainer_core.errors import ComponentError

__all__ = ["import_local_module"]


def import_local_module(name: str, folder: str | None, registry: Registry) -> None:
    """Import the module `name`, found in `folder` or, without one, on the path, and call its `register(registry)`.

    `folder` goes to the front of `sys.path` and stays there, so that the processes of data loaders find the module too.
    Raises `ComponentError` if it cannot be imported, has no `register`, or fails in it.
    """
    if folder is not None and folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = import_module(name)
    except (Exception, SystemExit) as error:
        raise ComponentError(f"the local module {name} cannot be imported: {error}") from error
    register = getattr(module, "register", None)
    if not callable(register):
        raise ComponentError(f"the local module {name} ({module.__file__}) has no register(registry)")
    try:
        register(registry)
    except ComponentError:
        raise
    except Exception as error:
        raise ComponentError(f"register(registry) of the local module {name} failed: {error}") from error
