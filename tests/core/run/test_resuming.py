"""What is refused, what lowers the verdict, and what takes effect when a run goes on from a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from offline_trainer_core import CheckpointError
from offline_trainer_core.record import Manifest
from offline_trainer_core.run.differences import Deviation
from offline_trainer_core.run.resuming import judged
from offline_trainer_core.types import RunInfo

RATE = Deviation("optimizer.kwargs.lr", "0.1", "0.2", "training")
BATCH = Deviation("data.batch_size", "4", "8", "training")
CODE = Deviation("ot-builtins", "0.1.0", "0.2.0", "training")
COMPILED = Deviation("run.compile", "(absent)", "true", "rounding")


def manifest(**environment: object) -> Manifest:
    return Manifest("step_2", 1, "now", 1, {}, "", None, {}, environment, [], {})


@pytest.fixture
def run(tmp_path: Path) -> RunInfo:
    return RunInfo("small", tmp_path, resume_from="step_2", environment={"threads": 1})


def test_what_is_the_same_resumes_exactly(run) -> None:
    judged_run = judged(run, manifest(threads=1), (), accept_changes=False)
    assert (str(judged_run.exactness), judged_run.renewed) == ("exact", frozenset())


def test_changes_are_refused_together_with_both_values_and_the_ways_on(run) -> None:
    with pytest.raises(CheckpointError) as caught:
        judged(run, manifest(), (RATE, COMPILED, BATCH), accept_changes=False)
    said = str(caught.value)
    assert said.startswith("step_2 was saved")
    assert all(text in said for text in ("  optimizer.kwargs.lr: 0.1 -> 0.2\n", "  data.batch_size: 4 -> 8\n"))
    assert all(way in said for way in ("undo", "--accept-changes", "accept_changes=True", "run.name", "'weights'"))
    assert "run.compile" not in said


@pytest.mark.parametrize(
    ("deviation", "level", "renewed"),
    [(RATE, "order-only", {"optimizer"}), (BATCH, "weights-only", {"data"}), (CODE, "weights-only", {"ot-builtins"})],
)
def test_an_accepted_change_lowers_the_verdict_and_is_to_take_effect(run, deviation, level, renewed) -> None:
    judged_run = judged(run, manifest(), (deviation,), accept_changes=True)
    assert str(judged_run.exactness) == f"{level} ({deviation})"
    assert judged_run.renewed == renewed


def test_another_rounding_and_another_environment_need_no_permission(run) -> None:
    judged_run = judged(run, manifest(threads=2), (COMPILED,), accept_changes=False)
    assert str(judged_run.exactness) == "order-only (threads 1 instead of 2; run.compile: (absent) -> true)"
    assert judged_run.renewed == frozenset()
