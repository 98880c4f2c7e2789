"""What a resume could do wrong: the faults that the comparison must find."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

__all__ = ["FAULTS"]

Change = Callable[[Any], Any]


def _forgets(load: Any) -> Any:
    @wraps(load)
    def load_nothing(self: Any, state: Any) -> None:
        return None

    return load_nothing


def _forgets_the_critic(load: Any) -> Any:
    @wraps(load)
    def load_others(self: Any, state: Any) -> None:
        if self.name != "critic":
            load(self, state)

    return load_others


def _starts_epochs_over(set_epoch: Any) -> Any:
    @wraps(set_epoch)
    def from_the_first_batch(self: Any, epoch: int, start: int = 0) -> None:
        # One batch short of where it was: the epoch keeps its length, and its order shifts.
        set_epoch(self, epoch, max(0, start - 1))

    return from_the_first_batch


def _reseeds(restore: Any) -> Any:
    @wraps(restore)
    def restore_and_reseed(self: Any, *args: Any) -> Any:
        import torch

        found = restore(self, *args)
        torch.manual_seed(0)
        return found

    return restore_and_reseed


def _keeps_too_much(open_record: Any) -> Any:
    @wraps(open_record)
    def keep_later_lines(self: Any, run: Any, resume_step: int | None) -> None:
        open_record(self, run, None if resume_step is None else resume_step + 10)

    return keep_later_lines


def _finds_nothing(latest: Any) -> Any:
    @wraps(latest)
    def none(self: Any) -> None:
        return None

    return none


FAULTS: dict[str, dict[str, Change]] = {
    "the average is not restored": {"ot_builtins.callbacks.ema:Ema.load_state_dict": _forgets},
    "the target network is not restored": {"parts:ActorCritic.load_state_dict": _forgets},
    "one optimizer of two is not restored": {
        "offline_trainer_core.engine.slot:OptimizerSlot.load_state_dict": _forgets_the_critic
    },
    "the generators are not restored": {"offline_trainer_core.engine.seeding:Generators.load_state_dict": _forgets},
    "the run is seeded again": {"offline_trainer_core.engine.saving:Saver.restore": _reseeds},
    "a batch is read twice": {"ot_builtins.data.dataset:SampleLoader.set_epoch": _starts_epochs_over},
    "lines are logged twice": {
        "offline_trainer_core.record.metrics:RecordLogger.load_state_dict": _forgets,
        "offline_trainer_core.record.metrics:RecordLogger.open": _keeps_too_much,
    },
    "the checkpoint is not looked for": {"offline_trainer_core.record.store:CheckpointStore.latest": _finds_nothing},
}
