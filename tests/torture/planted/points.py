"""The places where a run is killed: named functions of the core and of its parts, and operations on named files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["POINTS", "Point"]


@dataclass(frozen=True)
class Point:
    """A place in a run, and how it is killed there.

    `target` is `module:function`, or `file:operation` with a pattern of the `path`: the destination of a `rename`, what
    an `fsync`, a `write`, a `mkdir` or an `unlink` is done to. The run dies `before` or `after` it, or with half of the
    file written (`torn`).
    """

    target: str
    when: Literal["before", "after", "torn"]
    path: str = ""
    only: Callable[..., bool] | None = None
    """Which calls count, by their arguments; None for all."""
    passes: int = 1
    """How often a dozen steps of training come by, about: which of them is deadly is drawn from as many."""
    phase: Literal["start", "resume", "loop", "end"] = "loop"
    """When a life comes by: whenever it starts, when it has a checkpoint to go on from, while it trains, at its end."""
    processes: Literal["main", "each", "second", "worker"] = "main"
    """Which processes come by; a loader's worker is killed alone."""


def _accumulates(algorithm: Any, batch: Any, step: Any) -> bool:
    return not step.boundary


def _between_optimizers(step: Any, names: Any, loss: Any) -> bool:
    return bool(names == "critic" and step.boundary)


def _finished(folder: Any, status: str, *others: Any) -> bool:
    return status == "finished"


SAVING = r"/checkpoints/\.step_\d+\.saving"
SAVED = r"/checkpoints/step_\d+$"

POINTS = {
    # A life begins.
    "config.yaml is replaced": Point("file:rename", "before", r"/config\.yaml$", phase="start"),
    "a model is built": Point("parts:Actor.__init__", "before", phase="start", processes="each"),
    "metrics.jsonl is opened": Point("file:rename", "before", r"/metrics\.jsonl$", phase="start"),
    "the first batch is there": Point("parts:ActorCritic.update", "before", phase="start", processes="each"),
    # It takes up where another ended.
    "one of two optimizers is restored": Point(
        "offline_trainer_core.engine.slot:OptimizerSlot.load_state_dict", "after", phase="resume", processes="each"
    ),
    "the generators are restored": Point(
        "offline_trainer_core.engine.seeding:Generators.load_state_dict", "after", phase="resume", processes="each"
    ),
    # It trains.
    "a loader's worker reads a sample": Point("parts:NoisyPoints.__getitem__", "before", passes=60, processes="worker"),
    "backward": Point("torch._tensor:Tensor.backward", "before", passes=72, processes="each"),
    "gradients are accumulated": Point(
        "parts:ActorCritic.update", "after", only=_accumulates, passes=24, processes="each"
    ),
    "between the two optimizers": Point(
        "offline_trainer_core.engine.step:Stepper.optimize",
        "after",
        only=_between_optimizers,
        passes=12,
        processes="each",
    ),
    "an optimizer steps": Point("torch.optim.sgd:SGD.step", "before", passes=12, processes="each"),
    "the target network has followed": Point("parts:ActorCritic.follow", "after", passes=12, processes="each"),
    "the average follows": Point("ot_builtins.callbacks.ema:Ema.post_steps", "before", passes=36, processes="each"),
    "an epoch ends": Point("offline_trainer_core.engine.session:Session.end_epoch", "before", processes="each"),
    # It logs.
    "a line of metrics.jsonl": Point("file:write", "torn", r"/metrics\.jsonl$", passes=6),
    "between two loggers": Point("ot_builtins.loggers.tensorboard:TensorBoard.log_metrics", "after", passes=6),
    # It validates and evaluates.
    "a batch of a validation": Point("parts:ActorCritic.validate", "before", passes=8, processes="each"),
    "a validation has ended": Point("ot_builtins.callbacks.ema:Ema.on_validation_end", "after", processes="each"),
    "an evaluation": Point("parts:Probe.evaluate", "before"),
    # It saves.
    "a save begins": Point(
        "offline_trainer_core.record.store:CheckpointStore.save", "before", passes=4, processes="each"
    ),
    "a checkpoint's folder is made": Point("file:mkdir", "after", rf"{SAVING}$", passes=4),
    "state.json is half written": Point("file:fsync", "torn", rf"{SAVING}/state\.json$", passes=4),
    "tensors are written, and not synchronised": Point(
        "file:fsync", "before", rf"{SAVING}/.*\.safetensors$", passes=30
    ),
    "the second process's file is half written": Point(
        "file:fsync", "torn", rf"{SAVING}/rank1.*\.json$", passes=4, processes="second"
    ),
    "manifest.json is half written": Point("file:fsync", "torn", rf"{SAVING}/manifest\.json$", passes=4),
    "a checkpoint is about to be renamed": Point("file:rename", "before", SAVED, passes=4),
    "a checkpoint was renamed": Point("file:rename", "after", SAVED, passes=4),
    "'last' is about to be replaced": Point("file:rename", "before", "/checkpoints/last$", passes=4),
    "'last' was replaced": Point("file:rename", "after", "/checkpoints/last$", passes=4),
    "'best' is about to be replaced": Point("file:rename", "before", "/checkpoints/best$"),
    "a checkpoint is half deleted": Point("file:unlink", "before", r"/\.step_\d+\.deleted/", passes=10),
    # It ends.
    "the result is asked for": Point(
        "offline_trainer_core.engine.session:Session.result", "before", phase="end", processes="each"
    ),
    "the run is about to be called finished": Point(
        "offline_trainer_core.record.folder:RunFolder.set_status", "before", only=_finished, phase="end"
    ),
}
