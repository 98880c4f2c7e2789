"""Metrics for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from offline_trainer_core.types import RunInfo
from ot_builtins.destinations import destination
from ot_builtins.extras import import_extra

__all__ = ["TensorBoard"]


class TensorBoard:
    """Writes event files: every metric under `<stage>/<name>`, the configuration as a text.

    A resumed run tells TensorBoard to drop the events after the step that it resumes from.
    """

    def __init__(self, dir: str = "tensorboard") -> None:  # noqa: A002 - the argument's name in the configuration
        self.dir = dir
        import_extra("tensorboard", "tensorboard", "log.tensorboard")
        self._writer: Any = None

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purge_step = None if resume_step is None else resume_step + 1
        self._writer = SummaryWriter(str(destination(run, self.dir)), purge_step=purge_step)

    def log_hparams(self, hparams: Mapping[str, Any]) -> None:
        text = json.dumps(hparams, indent=2, default=str)
        self._writer.add_text("config", f"```json\n{text}\n```", 0)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(f"{stage}/{name}", value, step)
        self._writer.flush()  # a run that is killed must not lose what lies before its last checkpoint

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
