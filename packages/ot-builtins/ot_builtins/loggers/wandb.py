"""Metrics for Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import uuid4

from offline_trainer_core.types import RunInfo
from ot_builtins.extras import import_extra

__all__ = ["Wandb"]

ID_FILE = "wandb_run_id.txt"


class Wandb:
    """Logs to Weights & Biases: every metric as `<stage>/<name>` over `global_step`.

    `mode: offline` writes into the run folder for a later `wandb sync`. A resumed run continues the same W&B run; W&B
    takes nothing back, so the steps that are repeated after a kill appear twice there.
    """

    def __init__(
        self,
        project: str = "offline-trainer",
        mode: Literal["online", "offline", "disabled"] = "online",
        entity: str | None = None,
        name: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        """`name` is the run's own name by default."""
        self._wandb = import_extra("wandb", "wandb", "log.wandb")
        self._arguments = {"project": project, "mode": mode, "entity": entity, "group": group, "tags": list(tags)}
        self._name = name
        self._run: Any = None

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        known = run.dir / ID_FILE
        resumed = resume_step is not None and known.exists()
        identity = known.read_text(encoding="utf-8").strip() if resumed else uuid4().hex[:8]
        known.write_text(identity + "\n", encoding="utf-8")
        self._run = self._wandb.init(
            **self._arguments, name=self._name or run.name, dir=str(run.dir), id=identity, resume="allow"
        )
        self._run.define_metric("*", step_metric="global_step")

    def log_hparams(self, hparams: Mapping[str, Any]) -> None:
        self._run.config.update(dict(hparams), allow_val_change=True)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        self._run.log({"global_step": step, **{f"{stage}/{name}": value for name, value in metrics.items()}})

    def close(self) -> None:
        if self._run is not None:
            self._run.finish()
            self._run = None
