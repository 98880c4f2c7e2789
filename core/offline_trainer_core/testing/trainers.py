"""The contract of `trainer.*`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from offline_trainer_core.engine import call_with_parts
from offline_trainer_core.testing.contract import Contract, same
from offline_trainer_core.testing.small_run import Journal, small_parts
from offline_trainer_core.types import RunResult

__all__ = ["TrainerContract"]


class _StopAt:
    def __init__(self, step: int) -> None:
        self._step = step

    def on_train_step_end(self, context: Any) -> None:
        if context.state.global_step == self._step:
            context.stop("enough")


class TrainerContract(Contract):
    """A trainer trains for as long as it was told, tells listeners, stops when asked, and resumes exactly."""

    def make(self, max_steps: int = 8) -> Any:
        """Return a trainer that trains for `max_steps` optimizer steps and logs every step."""
        raise NotImplementedError(f"{type(self).__name__} must define make(max_steps)")

    def fit(self, folder: Path, max_steps: int = 8, **changes: Any) -> tuple[RunResult, dict[str, Any]]:
        """Train a small network as `ot run` does; return the result and the final weights."""
        folder.mkdir(parents=True, exist_ok=True)
        parts = small_parts(folder, **changes)
        result = call_with_parts(self.make(max_steps).fit, parts)
        return result, {name: tensor.clone() for name, tensor in parts["model"].state_dict().items()}

    def test_it_trains_for_as_long_as_it_was_told(self, tmp_path: Path) -> None:
        result, weights = self.fit(tmp_path)
        untrained = small_parts(tmp_path)["model"].state_dict()
        assert isinstance(result, RunResult), f"fit() returned {type(result).__name__}, not a RunResult"
        assert (result.status, result.state.global_step) == ("finished", 8)
        assert not same(weights, untrained), "the weights are those of the beginning"

    def test_it_logs_training_and_validation(self, tmp_path: Path) -> None:
        journal = Journal()
        self.fit(tmp_path, loggers={"journal": journal})
        assert {step for step, stage, _ in journal.rows if stage == "train"} == set(range(1, 9))
        assert any(stage == "val" and "loss" in logs for _, stage, logs in journal.rows), "it never validated"

    def test_a_part_that_it_does_not_know_does_no_harm(self, tmp_path: Path) -> None:
        result, _ = self.fit(tmp_path, part_of_a_later_version=object())
        assert result.state.global_step == 8

    def test_a_callback_can_stop_it(self, tmp_path: Path) -> None:
        result, _ = self.fit(tmp_path, callbacks={"stop": _StopAt(3)})
        assert (result.state.global_step, result.reason) == (3, "enough")

    def test_a_run_in_two_parts_ends_as_one_in_one(self, tmp_path: Path) -> None:
        _, whole = self.fit(tmp_path / "whole")
        self.fit(tmp_path / "parts", max_steps=3)
        journal = Journal()
        _, resumed = self.fit(tmp_path / "parts", resume_from="auto", loggers={"journal": journal})
        assert {step for step, stage, _ in journal.rows if stage == "train"} == {4, 5, 6, 7, 8}
        assert same(resumed, whole), "something that training depends on was not restored"
