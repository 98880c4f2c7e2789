"""Watching one number of validations or evaluations for an improvement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from offline_trainer_core.errors import ComponentError

__all__ = ["Mode", "Monitor"]

Mode = Literal["min", "max"]


class Monitor:
    """Keeps the best value of a metric.

    `loss` and `val/loss` name a metric of validation, `eval/success_rate` a score of evaluations. An improvement is
    larger than `min_delta`; NaN never is one.
    """

    def __init__(self, name: str, mode: Mode, min_delta: float = 0.0) -> None:
        if mode not in ("min", "max"):
            raise ComponentError(f"mode is 'min' or 'max', not {mode!r}")
        stage, _, metric = name.partition("/")
        self.stage, self.metric = (stage, metric) if stage in ("val", "eval") and metric else ("val", name)
        self.best = math.inf if mode == "min" else -math.inf
        self._sign = 1.0 if mode == "min" else -1.0
        self._min_delta = abs(min_delta)

    def improved(self, metrics: Mapping[str, float], stage: str) -> bool | None:
        """Return whether `metrics` of `stage` improve on the best value; None if the metric is of another stage.

        Raises `ComponentError` with what there is, where the metric is missing.
        """
        if stage != self.stage:
            return None
        if self.metric not in metrics:
            raise ComponentError(
                f"monitor '{self.metric}' is not among what {_SOURCES[stage]} gives: {', '.join(metrics) or 'nothing'}"
            )
        value = float(metrics[self.metric])
        better = self._sign * (self.best - value) > self._min_delta
        if better:
            self.best = value
        return better


_SOURCES = {"val": "validation", "eval": "the evaluation"}
