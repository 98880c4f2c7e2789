"""What can be done with a configuration: check it, look at its policy, run it, rehearse it, launch it; and evaluate
what came out.

Each is imported when it is first used: a check needs nothing of what writes a run.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offline_trainer_core.run.chain import run
    from offline_trainer_core.run.checked import build_registry, check_config, try_check
    from offline_trainer_core.run.evaluation import evaluate
    from offline_trainer_core.run.inspection import specimen
    from offline_trainer_core.run.launching import launch
    from offline_trainer_core.run.lock import refuse_drift
    from offline_trainer_core.run.locking import find_lock
    from offline_trainer_core.run.older import todays
    from offline_trainer_core.run.rehearsal import rehearse
    from offline_trainer_core.run.reproduction import reproduce

__all__ = [
    "build_registry",
    "check_config",
    "evaluate",
    "find_lock",
    "launch",
    "refuse_drift",
    "rehearse",
    "reproduce",
    "run",
    "specimen",
    "todays",
    "try_check",
]

_MODULES = {
    "build_registry": "checked",
    "check_config": "checked",
    "evaluate": "evaluation",
    "find_lock": "locking",
    "launch": "launching",
    "refuse_drift": "lock",
    "rehearse": "rehearsal",
    "reproduce": "reproduction",
    "run": "chain",
    "specimen": "inspection",
    "todays": "older",
    "try_check": "checked",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
