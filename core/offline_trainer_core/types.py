"""The values that travel between the core and the components. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

if TYPE_CHECKING:
    import torch

__all__ = [
    "ArgsKwargs",
    "ComponentOf",
    "Exactness",
    "Interval",
    "LossOutput",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "RunInfo",
    "RunResult",
    "SchedulerBundle",
    "Stage",
    "TrainState",
    "UnitInterval",
]

Stage = Literal["train", "val", "test", "predict"]


@dataclass(frozen=True)
class ComponentOf:
    """Marks a string as the name of an installed component, without its kind: `Annotated[str, ComponentOf("nn")]`.

    `ot check` reports a name that nothing has, and the component takes part in the plan. `args` and `kwargs` are the
    names of the parameters whose values are all that the named component is given (after the parameters or the
    optimizer, for an optimizer or scheduler class): they are checked against its signature.
    """

    kind: str
    args: str = ""
    kwargs: str = ""


@dataclass(frozen=True)
class Interval:
    """Bounds a number: `Annotated[float, Interval(gt=0)]`. Those of the package annotated-types are read as well."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None


PositiveInt = Annotated[int, Interval(ge=1)]
NonNegativeInt = Annotated[int, Interval(ge=0)]
PositiveFloat = Annotated[float, Interval(gt=0)]
NonNegativeFloat = Annotated[float, Interval(ge=0)]
UnitInterval = Annotated[float, Interval(ge=0, le=1)]


@dataclass(frozen=True)
class ArgsKwargs:
    """Arguments of a model call: `model(*args, **kwargs)`."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LossOutput:
    """What a loss returns: the scalar to minimise, and numbers or 0-d tensors to log."""

    loss: torch.Tensor
    logs: Mapping[str, torch.Tensor | float] = field(default_factory=dict)


@dataclass(frozen=True)
class SchedulerBundle:
    """A learning-rate scheduler and when to step it: every `frequency`-th step, epoch or metric report."""

    scheduler: Any
    interval: Literal["step", "epoch", "metric"] = "step"
    frequency: int = 1
    monitor: str | None = None


@dataclass
class TrainState:
    """Where a run is. `micro_step_in_epoch` counts batches, `global_step` counts optimizer steps."""

    epoch: int = 0
    global_step: int = 0
    micro_step_in_epoch: int = 0


@dataclass(frozen=True)
class Exactness:
    """How far a resumed run repeats the run that was never interrupted, and what stands in the way of more.

    `exact`: every bit. `order-only`: the same samples in the same order, with other random numbers or other rounding.
    `weights-only`: from the same weights on, another run.
    """

    level: Literal["exact", "order-only", "weights-only"] = "exact"
    reasons: tuple[str, ...] = ()

    def lowered(self, level: Literal["order-only", "weights-only"], reason: str) -> Exactness:
        """Return the exactness that is left when `reason` allows no more than `level`."""
        lowest = "weights-only" if "weights-only" in (self.level, level) else level
        return Exactness(lowest, (*self.reasons, reason))

    def __str__(self) -> str:
        return f"{self.level} ({'; '.join(self.reasons)})" if self.reasons else self.level


@dataclass(frozen=True)
class RunInfo:
    """What every part of a run may know about it."""

    name: str
    dir: Path
    """The run folder; relative paths in component arguments are relative to it."""
    seed: int = 0
    device: Any = "cpu"
    """A `torch.device`."""
    precision: Literal["fp32", "bf16-mixed", "fp16-mixed"] = "fp32"
    rank: int = 0
    world_size: int = 1
    resume_from: str | None = None
    """`None`, `auto`, or the path of a checkpoint."""
    hparams: Mapping[str, Any] = field(default_factory=dict)
    """The resolved configuration as plain data, secrets masked."""
    plan: Mapping[str, Any] = field(default_factory=dict)
    """Every component of the run with its distribution and version, for checkpoints."""
    config_digest: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """What the bits of a result depend on beside the plan: device, threads, versions; for checkpoints."""
    exactness: Exactness | None = None
    """What is known of a resume before anything is built; None where the run starts anew."""
    renewed: frozenset[str] = frozenset()
    """Top-level sections that were changed since the checkpoint, and are to take effect, such as `optimizer`."""
    checkpoints: Any = None
    """The run's checkpoint store (`offline_trainer_core.record.CheckpointStore`)."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes for the whole run."""
        return self.rank == 0


@dataclass(frozen=True)
class RunResult:
    """How a run ended: its folder, its state, the last metrics of every stage."""

    dir: Path
    state: TrainState
    metrics: Mapping[str, float] = field(default_factory=dict)
    status: Literal["finished", "stopped"] = "finished"
    reason: str = ""
