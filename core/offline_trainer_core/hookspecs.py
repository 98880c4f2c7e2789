"""Every hook, in the order in which a run calls it.

A method with one of these names, on a callback or on a hook plugin, implements the hook; it may take any subset of the
documented arguments. Data hooks return the batch or loss to go on with (None keeps it), logging hooks return a mapping
to log, operation hooks return nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from offline_trainer_core.types import Exactness

__all__ = ["PROJECT", "hookimpl", "hookspec"]

PROJECT = "offline_trainer"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def on_fit_start(context: Any) -> None:
    """Everything is built and restored; the run is about to begin, or to go on."""


@hookspec
def on_resume(context: Any, exactness: Exactness) -> None:
    """The state of a checkpoint is restored; `exactness` says how far the run will repeat the uninterrupted one."""


@hookspec
def on_epoch_start(context: Any, epoch: int) -> None:
    """An epoch begins, or is resumed."""


@hookspec
def batch_process(context: Any, batch: Any) -> Any:
    """Data: the batch came from the loader, lies on the device and is normalized."""


@hookspec
def pre_steps_log(context: Any, batch: Any) -> Mapping[str, Any] | None:
    """Logging: before the updates of this batch."""


@hookspec
def pre_optim_steps(context: Any) -> None:
    """Operation: the updates of this batch are about to begin."""


@hookspec
def process_optim_batch(context: Any, batch: Any) -> Any:
    """Data: the batch of one update; the inner loop makes `optim_steps_per_batch` of them."""


@hookspec
def post_loss(context: Any, names: tuple[str, ...], loss: Tensor) -> Tensor | None:
    """Data: a loss was computed for the named optimizers and is about to be differentiated."""


@hookspec(firstresult=True)
def optimizer(context: Any, name: str, optimizer: Optimizer, loss: Tensor) -> bool | None:
    """Operation: gradients are complete, guarded and clipped; return True after stepping the optimizer yourself."""


@hookspec
def post_optim(context: Any) -> None:
    """Operation: one update is done."""


@hookspec
def post_optim_log(context: Any, batch: Any) -> Mapping[str, Any] | None:
    """Logging: after one update."""


@hookspec
def post_steps(context: Any) -> None:
    """Operation: all updates of this batch are done."""


@hookspec
def post_steps_log(context: Any, batch: Any) -> Mapping[str, Any] | None:
    """Logging: after all updates of this batch."""


@hookspec
def on_log(context: Any, metrics: Mapping[str, float], step: int, stage: str) -> None:
    """Numbers were read from the device and given to the loggers."""


@hookspec
def on_validation_start(context: Any) -> None:
    """Models are in eval mode; validation is about to begin."""


@hookspec
def on_validation_end(context: Any, logs: Mapping[str, float]) -> None:
    """Validation is complete; `logs` are means over all its samples."""


@hookspec
def on_train_step_end(context: Any, logs: Mapping[str, Any]) -> None:
    """A step is complete, logged and validated where due; `logs` are the tensors of its update, still on the device."""


@hookspec
def on_evaluation_start(context: Any) -> None:
    """A policy is about to be evaluated in an environment."""


@hookspec
def on_evaluation_end(context: Any, results: Mapping[str, float]) -> None:
    """The evaluation is complete."""


@hookspec
def on_interrupt(context: Any) -> None:
    """A validation or evaluation is given up, and starts anew after a resume: undo what its start did and counted."""


@hookspec
def on_epoch_end(context: Any, epoch: int) -> None:
    """An epoch is complete, its validation included."""


@hookspec
def on_checkpoint_saved(context: Any, path: Path) -> None:
    """A checkpoint was published under its final name; one that is saved asynchronously is on its way there."""


@hookspec
def on_exception(context: Any, exception: BaseException) -> None:
    """The run is about to end with this exception."""


@hookspec
def on_fit_end(context: Any) -> None:
    """The last step is done; also called when the run was stopped."""
