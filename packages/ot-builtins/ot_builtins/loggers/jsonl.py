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
from ot_builtins.destinations import destination
from ot_builtins.loggers.rows import read_complete_lines, replace_text

__all__ = ["Jsonl"]


class Jsonl:
    """Appends one JSON object per report: `{"step": 100, "stage": "train", "loss": 0.1}`.

    JSON has no infinity and no NaN: they are the strings "inf", "-inf" and "nan", which `float` reads. A resumed run
    drops the lines after the step that it resumes from.
    """

    def __init__(self, path: str = "log.jsonl") -> None:
        self.path = path
        self._file: TextIO | None = None

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        target = destination(run, self.path)
        if target == run.dir.resolve() / "metrics.jsonl":
            raise ComponentError("'metrics.jsonl' is written by the run itself; give log.jsonl another path")
        target.parent.mkdir(parents=True, exist_ok=True)
        _keep_until(target, resume_step)
        self._file = target.open("a", encoding="utf-8")

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        assert self._file is not None, "open comes first"
        row = {**{name: _number(value) for name, value in metrics.items()}, "step": step, "stage": stage}
        self._file.write(json.dumps(row, allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def _keep_until(path: Path, step: int | None) -> None:
    kept = []
    if step is not None:
        kept = [line for line in read_complete_lines(path) if json.loads(line)["step"] <= step]
    replace_text(path, "".join(kept))


def _number(value: Any) -> float | str:
    number = float(value)
    return number if math.isfinite(number) else str(number)
