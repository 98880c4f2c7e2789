"""Metrics for TensorBoard."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offline_trainer_core.types import RunInfo
from ot_builtins.destinations import destination
from ot_builtins.extras import import_extra
from ot_builtins.loggers.history import reports_of
from ot_builtins.loggers.rows import writing

__all__ = ["TensorBoard"]


class TensorBoard:
    """Writes event files: every metric under `<stage>/<name>`, the configuration as a text.

    A resumed run tells TensorBoard to drop the events from the step of its checkpoint on, and writes those of that step
    again that the checkpoint has seen.
    """

    def __init__(self, dir: str = "tensorboard") -> None:  # noqa: A002 - the argument's name in the configuration
        """`dir` is relative to the run folder, or absolute."""
        self.dir = dir
        import_extra("tensorboard", "tensorboard", "log.tensorboard")
        self._folder = Path(dir)
        self._writer: Any = None

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = destination(run, self.dir)
        with writing(self._folder):
            _wait_for_another_second(self._folder)
            # From 0 on where the run begins: a life that was killed before its first checkpoint may have left events.
            self._writer = SummaryWriter(str(self._folder), purge_step=resume_step or 0)
        for report in reports_of(run) if resume_step is not None else ():
            if report.step == resume_step:
                self._write(report.metrics, report.step, report.stage, report.time)

    def log_hparams(self, hparams: Mapping[str, Any]) -> None:
        text = json.dumps(hparams, indent=2, default=str)
        self._writer.add_text("config", f"```json\n{text}\n```", 0)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        self._write(metrics, step, stage)

    def _write(self, metrics: Mapping[str, float], step: int, stage: str, at: float | None = None) -> None:
        with writing(self._folder):
            for name, value in metrics.items():
                self._writer.add_scalar(f"{stage}/{name}", value, step, walltime=at)
            self._writer.flush()  # a run that is killed must not lose what lies before its last checkpoint

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _wait_for_another_second(folder: Path) -> None:
    """TensorBoard reads its files in the order of their names, which tell whole seconds, then process and number."""
    seconds = {path.name.split(".")[3] for path in folder.glob("events.out.tfevents.*")}
    while f"{int(time.time()):010d}" in seconds:
        time.sleep(0.02)
