"""Metrics as a table."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from offline_trainer_core.types import RunInfo
from ot_builtins.destinations import new_destination
from ot_builtins.loggers.history import reports_of
from ot_builtins.loggers.rows import read_complete_lines, replace_text, writing

__all__ = ["Csv"]

Row = Mapping[str, Any]


class Csv:
    """Appends one row per report under the columns `step`, `stage` and the metrics' names.

    A name that is new adds a column: the file is rewritten under a new header, atomically. A resumed run writes the
    file anew, with the rows up to its checkpoint.
    """

    def __init__(self, path: str = "metrics.csv") -> None:
        """`path` is relative to the run folder, or absolute."""
        self.path = path
        self._target = Path(path)
        self._file: TextIO | None = None
        self._columns: list[str] = []

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        self._target = new_destination(run, self.path, resumed=resume_step is not None)
        reports = [] if resume_step is None else reports_of(run)
        rows = [{"step": report.step, "stage": report.stage, **report.metrics} for report in reports]
        with writing(self._target):
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._rewrite(["step", "stage"], rows)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        assert self._file is not None, "open comes first"
        row = {"step": step, "stage": stage, **metrics}
        with writing(self._target):
            if not row.keys() <= set(self._columns):
                self._rewrite(self._columns, [*_read(self._target), row])
            else:
                self._file.write(_table([row], self._columns))
                self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def _rewrite(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self.close()
        self._columns = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
        header = {name: name for name in self._columns}
        replace_text(self._target, _table([header, *rows], self._columns))
        self._file = self._target.open("a", encoding="utf-8", newline="")


def _read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(read_complete_lines(path)))


def _table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns, lineterminator="\n").writerows(rows)
    return text.getvalue()
