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
from contextlib import suppress
from pathlib import Path
from typing import Any

from offline_trainer_core.record.atomic import replace_file, told, write_all
from offline_trainer_core.types import RunInfo

__all__ = ["RecordLogger", "read_metrics"]

_FIELDS = ("step", "stage", "time")


class RecordLogger:
    """Writes the metrics of a run into its record, each line at once, so that what a killed run has logged can be read.

    A metric that is named like one of the three fields is written as `metric.<name>`. Its state is the number of lines
    that a checkpoint has seen: what is logged in the same step after it, such as a validation, is logged again.
    """

    def __init__(self) -> None:
        self._lines = 0
        self._restored: int | None = None
        self._descriptor: int | None = None

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        """Open the file. Lines that the resumed run logs again are dropped: those after `resume_step`, and those that
        the restored checkpoint has not seen; None drops all. Raises `DeviceError`, as all that writes here does.
        """
        self._path = run.dir / "metrics.jsonl"
        kept = [] if resume_step is None else [line for line in read_metrics(self._path) if line["step"] <= resume_step]
        kept = kept[: self._restored]
        self._lines = len(kept)
        with told(self._path):
            replace_file(self._path, b"".join(map(_line, kept)))
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)

    def log_metrics(self, metrics: Mapping[str, Any], *, step: int, stage: str) -> None:
        """Append one line."""
        assert self._descriptor is not None, "open comes first"
        self._lines += 1
        numbers = {f"metric.{name}" if name in _FIELDS else name: _number(value) for name, value in metrics.items()}
        data = _line({"step": step, "stage": stage, "time": time.time(), **numbers})
        with told(self._path):
            write_all(self._descriptor, data)

    def state_dict(self) -> dict[str, int]:
        """Return the number of lines; they lie on the disk then, as the checkpoint will that counts on them."""
        if self._descriptor is not None:
            with told(self._path):
                os.fsync(self._descriptor)
        return {"lines": self._lines}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self._restored = state["lines"]

    def close(self) -> None:
        """Wait until all lines lie on the disk."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with told(self._path):
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """Yield every line of a metrics file, but those that a kill or a power cut tore."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                with suppress(ValueError):
                    yield json.loads(line)


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def _number(value: Any) -> float | int | str:
    """Return a number, or a 0-d tensor or array, as JSON can hold it, without loss."""
    number = value.item() if hasattr(value, "item") else value
    return str(number) if isinstance(number, float) and not math.isfinite(number) else number
