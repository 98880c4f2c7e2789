"""What a run has reported so far: a resumed run brings every logger in line with it.

The core keeps the run's own record, `metrics.jsonl`, exact: when a run resumes, it drops what the run is about to
report again, and only that. So a logger needs no memory of its own, whatever a kill made it lose, repeat or tear.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from offline_trainer_core.types import RunInfo
from ot_builtins.loggers.rows import read_complete_lines

__all__ = ["Delivery", "Report", "Tolerance", "is_exact", "reports_of"]

log = logging.getLogger(__name__)

_FIELDS = ("step", "stage", "time")


class Report(NamedTuple):
    """What one call of `log_metrics` reported, `time` seconds after 1970 began."""

    metrics: Mapping[str, float]
    step: int
    stage: str
    time: float


def reports_of(run: RunInfo) -> list[Report]:
    """Return the reports of the run up to the checkpoint that it was resumed from, in their order."""
    return [_report(json.loads(line)) for line in read_complete_lines(run.dir / "metrics.jsonl")]


def _report(line: Mapping[str, float | str]) -> Report:
    metrics = {_name(key): float(value) for key, value in line.items() if key not in _FIELDS}
    return Report(metrics, int(line["step"]), str(line["stage"]), float(line["time"]))


def _name(key: str) -> str:
    """Return the metric of a key of the record, which writes `metric.step` for a metric that is called `step`."""
    bare = key.removeprefix("metric.")
    return bare if bare in _FIELDS else key


def is_exact(run: RunInfo) -> bool:
    """Whether a resumed run reports again, to the bit, what it reported after its checkpoint before."""
    return run.exactness is not None and run.exactness.level == "exact"


class Delivery:
    """Knows which values a tracker that takes nothing back has already, so that none is sent twice.

    `delivered` is how many values of each name the tracker has; a run reports those of one name in their order.
    """

    def __init__(self, delivered: Mapping[str, int]) -> None:
        self._ahead = Counter(delivered)

    @property
    def is_ahead(self) -> bool:
        """Whether the tracker has values that the run has not reported yet, or not again."""
        return any(self._ahead.values())

    def due(self, names: Iterable[str]) -> set[str]:
        """Return those of `names`, each reported once more, whose value the tracker lacks."""
        due = set()
        for name in names:
            if self._ahead[name] > 0:
                self._ahead[name] -= 1
            else:
                due.add(name)
        return due


class Tolerance:
    """Lets a run outlive its tracker: the first failure is said, and the tracker gets nothing more in this session."""

    def __init__(self, tracker: str) -> None:
        self._tracker = tracker
        self.has_failed = False

    @contextmanager
    def sending(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not self.has_failed:
                kept = "metrics.jsonl has every number, and a resumed run sends what is missing"
                log.warning("%s fails, and the run goes on without it; %s: %s", self._tracker, kept, error)
            self.has_failed = True
