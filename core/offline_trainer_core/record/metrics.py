"""The numbers of a run: `metrics.jsonl`, one JSON object a line.

`{"step": 100, "stage": "train", "time": 1760000000.0, "loss": 0.1}`, where `time` is in seconds since 1970. JSON has no
infinity and no NaN: they are the strings "inf", "-inf" and "nan", which `float` reads.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from offline_trainer_core.errors import OfflineTrainerError
from offline_trainer_core.record.atomic import explain, replace_file

__all__ = ["MetricsFile", "read_metrics"]

_FIELDS = ("step", "stage", "time")


class MetricsFile:
    """Appends metrics, each line at once, so that what a killed run has logged can be read.

    With `resume_step` the lines up to that step are kept, and the others, which the resumed run logs again, are
    dropped; None begins an empty file. A metric that is named like one of the three fields is written as
    `metric.<name>`.
    """

    def __init__(self, path: Path, resume_step: int | None = None) -> None:
        self._path = path
        kept = [] if resume_step is None else [line for line in read_metrics(path) if line["step"] <= resume_step]
        replace_file(path, b"".join(map(_line, kept)))
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)

    def write(self, metrics: Mapping[str, Any], *, step: int, stage: str) -> None:
        """Append one line. Raises `OfflineTrainerError` where the disk is full."""
        numbers = {f"metric.{name}" if name in _FIELDS else name: _number(value) for name, value in metrics.items()}
        data = _line({"step": step, "stage": stage, "time": time.time(), **numbers})
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            raise OfflineTrainerError(f"cannot write {self._path}: {explain(error, self._path.parent)}") from error

    def close(self) -> None:
        """Wait until all lines lie on the disk and close the file."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """Yield every complete line of a metrics file; a last line that a kill cut short is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def _number(value: Any) -> float | int | str:
    """Return a number, or a 0-d tensor or array, as JSON can hold it, without loss."""
    number = value.item() if hasattr(value, "item") else value
    return str(number) if isinstance(number, float) and not math.isfinite(number) else number
