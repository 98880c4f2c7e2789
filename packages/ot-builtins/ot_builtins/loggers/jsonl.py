"""Metrics as lines of JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import RunInfo
from ot_builtins.destinations import new_destination
from ot_builtins.loggers.history import reports_of
from ot_builtins.loggers.rows import replace_text, writing

__all__ = ["Jsonl"]


class Jsonl:
    """Appends one JSON object per report: `{"step": 100, "stage": "train", "loss": 0.1}`.

    JSON has no infinity and no NaN: they are the strings "inf", "-inf" and "nan", which `float` reads. A resumed run
    writes the file anew, with the lines up to its checkpoint.
    """

    def __init__(self, path: str = "log.jsonl") -> None:
        """`path` is relative to the run folder, or absolute."""
        self.path = path
        self._target = Path(path)
        self._file: TextIO | None = None

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        self._target = new_destination(run, self.path, resumed=resume_step is not None)
        if self._target == run.dir.resolve() / "metrics.jsonl":
            raise ComponentError("'metrics.jsonl' is written by the run itself; give log.jsonl another path")
        reports = [] if resume_step is None else reports_of(run)
        lines = (_line(report.metrics, report.step, report.stage) for report in reports)
        with writing(self._target):
            self._target.parent.mkdir(parents=True, exist_ok=True)
            replace_text(self._target, "".join(lines))
            self._file = self._target.open("a", encoding="utf-8")

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        assert self._file is not None, "open comes first"
        with writing(self._target):
            self._file.write(_line(metrics, step, stage))
            self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def _line(metrics: Mapping[str, float], step: int, stage: str) -> str:
    row = {**{name: _number(value) for name, value in metrics.items()}, "step": step, "stage": stage}
    return json.dumps(row, allow_nan=False) + "\n"


def _number(value: Any) -> float | str:
    number = float(value)
    return number if math.isfinite(number) else str(number)
