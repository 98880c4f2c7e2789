"""Ends a run that no longer improves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import PositiveInt
from ot_builtins.callbacks.monitor import Mode, Monitor

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """Stops the run when `monitor` has not improved by more than `min_delta` for `patience` validations in a row.

    `monitor` is a metric of validation (`loss`) or a score of evaluations (`eval/success_rate`).
    """

    harmless = True

    def __init__(
        self, monitor: str = "loss", patience: PositiveInt = 5, mode: Mode = "min", min_delta: float = 0.0
    ) -> None:
        if patience < 1:
            raise ComponentError(f"cb.early_stopping: patience is at least 1, not {patience}")
        self.patience = patience
        self._monitor = Monitor(monitor, mode, min_delta)
        self._waited = 0

    def on_validation_end(self, context: Any, logs: Mapping[str, float]) -> None:
        self._judge(context, self._monitor.improved(logs, "val"))

    def on_evaluation_end(self, context: Any, results: Mapping[str, float]) -> None:
        self._judge(context, self._monitor.improved(results, "eval"))

    def _judge(self, context: Any, improved: bool | None) -> None:
        if improved is None:
            return
        self._waited = 0 if improved else self._waited + 1
        if self._waited >= self.patience:
            name, best = self._monitor.metric, self._monitor.best
            context.stop(f"'{name}' has not improved on {best:.6g} for {self._waited} validations")

    def state_dict(self) -> dict[str, Any]:
        return {"best": self._monitor.best, "waited": self._waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._monitor.best, self._waited = state["best"], state["waited"]
