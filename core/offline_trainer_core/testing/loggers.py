"""The contract of `log.*`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.record import RecordLogger
from offline_trainer_core.testing.contract import Contract
from offline_trainer_core.types import RunInfo

__all__ = ["LoggerContract"]

Report = tuple[int, str, Mapping[str, float]]
"""Step, stage, metrics."""
Place = tuple[int, str, str]
"""Step, stage, name."""


class LoggerContract(Contract):
    """What is logged can be read back, and a resumed run goes on behind its checkpoint."""

    def read(self, run: RunInfo) -> Iterable[tuple[int, str, str, float]]:
        """Return (step, stage, name, value) of everything that lies in the run folder."""
        raise NotImplementedError(f"{type(self).__name__} must define read(run)")

    def write(self, run: RunInfo, reports: Iterable[Report], resume_step: int | None = None) -> None:
        """Let a fresh logger do what it does in a run: beside the run's own record, which is opened first."""
        logger: Any = self.make()
        record = RecordLogger()
        record.open(run, resume_step)
        if hasattr(logger, "open"):
            logger.open(run, resume_step)
        if hasattr(logger, "log_hparams") and resume_step is None:
            logger.log_hparams({"trainer": {"max_steps": 10, "stages": ["train", None]}, "run": {"name": run.name}})
        for step, stage, metrics in reports:
            record.log_metrics(metrics, step=step, stage=stage)
            logger.log_metrics(metrics, step=step, stage=stage)
        record.close()
        if hasattr(logger, "close"):
            logger.close()

    def written(self, folder: Path, *sessions: tuple[Iterable[Report], int | None]) -> dict[Place, float]:
        """Return what lies in `folder` after several sessions of one run."""
        run = RunInfo("contract", folder)
        for reports, resume_step in sessions:
            self.write(run, reports, resume_step)
        return {(step, stage, name): value for step, stage, name, value in self.read(run)}

    def test_what_is_logged_can_be_read_back(self, tmp_path: Path) -> None:
        reports = [(1, "train", {"loss": 0.5}), (2, "train", {"loss": 0.25, "lr": 1e-3}), (2, "val", {"loss": 0.75})]
        expected = {(step, stage, name): value for step, stage, logs in reports for name, value in logs.items()}
        assert self.written(tmp_path, (reports, None)) == pytest.approx(expected)

    def test_infinity_and_nan_can_be_logged(self, tmp_path: Path) -> None:
        found = self.written(tmp_path, ([(1, "train", {"low": -math.inf, "none": math.nan, "loss": 1.0})], None))
        expected = {(1, "train", "low"): -math.inf, (1, "train", "none"): math.nan, (1, "train", "loss"): 1.0}
        assert found == pytest.approx(expected, nan_ok=True)

    def test_a_resumed_run_drops_what_came_after_its_checkpoint(self, tmp_path: Path) -> None:
        before = [(step, "train", {"loss": float(step)}) for step in (1, 2, 3, 4)]
        found = self.written(tmp_path, (before, None), ([(3, "train", {"loss": 30.0})], 2))
        assert {step: value for (step, _, _), value in found.items()} == {1: 1.0, 2: 2.0, 3: 30.0}

    def test_a_resumed_run_may_log_what_is_new(self, tmp_path: Path) -> None:
        found = self.written(tmp_path, ([(1, "train", {"loss": 1.0})], None), ([(2, "eval", {"success": 0.5})], 1))
        assert found == pytest.approx({(1, "train", "loss"): 1.0, (2, "eval", "success"): 0.5})
