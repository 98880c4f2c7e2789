"""The logger that every run has: it keeps `metrics.jsonl` in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from offline_trainer_core.record.metrics import MetricsFile

if TYPE_CHECKING:
    from offline_trainer_core.types import RunInfo

__all__ = ["RecordLogger"]


class RecordLogger:
    """Writes every metric of the run into its record."""

    _file: MetricsFile | None = None

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        """Begin the file, or go on in it after `resume_step`."""
        self._file = MetricsFile(run.dir / "metrics.jsonl", resume_step)

    def log_metrics(self, metrics: Mapping[str, Any], *, step: int, stage: str) -> None:
        """Append one line."""
        if self._file is not None:
            self._file.write(metrics, step=step, stage=stage)

    def close(self) -> None:
        """Wait until all lines lie on the disk."""
        if self._file is not None:
            self._file.close()
            self._file = None
