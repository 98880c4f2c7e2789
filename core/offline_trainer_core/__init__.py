"""Offline Trainer: composes and runs the training of policies from logged data, as a YAML file says.

Every name below is imported when it is first used: `import offline_trainer_core` costs nothing and loads no torch.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offline_trainer_core.build import build_spec
    from offline_trainer_core.catalogue import Registry
    from offline_trainer_core.config import Config, join_path, resolve_config
    from offline_trainer_core.deploy import build_policy, load_policy
    from offline_trainer_core.engine import RunContext, Specimen
    from offline_trainer_core.errors import (
        CheckpointError,
        ComponentError,
        ConfigError,
        DataError,
        DeviceError,
        Location,
        NonFiniteError,
        OfflineTrainerError,
        Problem,
        RunStopped,
        UsageError,
        format_error_with_context,
    )
    from offline_trainer_core.hookspecs import hookimpl
    from offline_trainer_core.nest import select
    from offline_trainer_core.protocols import (
        IO,
        Algorithm,
        DataModule,
        Evaluation,
        Exporter,
        Launcher,
        Loader,
        Logger,
        Loss,
        Metric,
        OptimizerFactory,
        Policy,
        SchedulerFactory,
        Stateful,
        Step,
        Strategy,
        Trainer,
    )
    from offline_trainer_core.run import build_registry, check_config, run, specimen
    from offline_trainer_core.signature.live import validate_kwargs
    from offline_trainer_core.types import (
        ArgsKwargs,
        ComponentOf,
        Interval,
        LossOutput,
        NonNegativeFloat,
        NonNegativeInt,
        PositiveFloat,
        PositiveInt,
        RunInfo,
        RunResult,
        SchedulerBundle,
        TrainState,
        UnitInterval,
    )

__all__ = [
    "IO",
    "Algorithm",
    "ArgsKwargs",
    "CheckpointError",
    "ComponentError",
    "ComponentOf",
    "Config",
    "ConfigError",
    "DataError",
    "DataModule",
    "DeviceError",
    "Evaluation",
    "Exporter",
    "Interval",
    "Launcher",
    "Loader",
    "Location",
    "Logger",
    "Loss",
    "LossOutput",
    "Metric",
    "NonFiniteError",
    "NonNegativeFloat",
    "NonNegativeInt",
    "OfflineTrainerError",
    "OptimizerFactory",
    "Policy",
    "PositiveFloat",
    "PositiveInt",
    "Problem",
    "Registry",
    "RunContext",
    "RunInfo",
    "RunResult",
    "RunStopped",
    "SchedulerBundle",
    "SchedulerFactory",
    "Specimen",
    "Stateful",
    "Step",
    "Strategy",
    "TrainState",
    "Trainer",
    "UnitInterval",
    "UsageError",
    "build_policy",
    "build_registry",
    "build_spec",
    "check_config",
    "format_error_with_context",
    "hookimpl",
    "join_path",
    "load_policy",
    "resolve_config",
    "run",
    "select",
    "specimen",
    "validate_kwargs",
]

_ROOMS = {
    "build": "build_spec",
    "catalogue": "Registry",
    "config": "Config join_path resolve_config",
    "deploy": "build_policy load_policy",
    "engine": "RunContext Specimen",
    "errors": "CheckpointError ComponentError ConfigError DataError DeviceError Location NonFiniteError "
    "OfflineTrainerError Problem RunStopped UsageError format_error_with_context",
    "hookspecs": "hookimpl",
    "nest": "select",
    "protocols": "Algorithm DataModule Evaluation Exporter IO Launcher Loader Logger Loss Metric OptimizerFactory "
    "Policy SchedulerFactory Stateful Step Strategy Trainer",
    "run": "build_registry check_config run specimen",
    "signature.live": "validate_kwargs",
    "types": "ArgsKwargs ComponentOf Interval LossOutput NonNegativeFloat NonNegativeInt PositiveFloat PositiveInt "
    "RunInfo RunResult SchedulerBundle TrainState UnitInterval",
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps `run` the function: importing the module `run` would otherwise put the module in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name == "run" and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
