"""Metrics for Weights & Biases."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from offline_trainer_core.types import RunInfo
from ot_builtins.extras import import_extra
from ot_builtins.loggers.history import Delivery, Report, Tolerance, is_exact, reports_of
from ot_builtins.loggers.rows import replace_text

__all__ = ["Wandb"]

log = logging.getLogger(__name__)

ID_FILE = "wandb_run_id.txt"
ROW = "row"
PRIVATE = {
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "disable_job_creation": True,
    "save_code": False,
    "x_disable_meta": True,
}
"""W&B would take the console, the command line, the source, the uncommitted change: whatever secrets these hold. The
run folder has what is needed of them, without."""


class Wandb:
    """Logs to Weights & Biases: every metric as `<stage>/<name>` over `global_step`.

    `mode: offline` writes into the run folder for a later `wandb sync`. A resumed run continues the same W&B run and
    sends what that lacks; offline it writes everything anew, and moves what lay there to `wandb/replaced`. W&B takes
    nothing back: where it has reports that the resumed run will not repeat to the bit, a new W&B run begins, with
    everything reported so far. The console, the command line and the source are not sent: they may show secrets.
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
        """`name` is the run's own by default; `entity` is the user or team that owns `project`."""
        self._wandb = import_extra("wandb", "wandb", "log.wandb")
        self._arguments = {"project": project, "mode": mode, "entity": entity, "group": group, "tags": list(tags)}
        self._name = name
        self._run: Any = None
        self._number = 0
        self._delivery = Delivery({})
        self._tolerance = Tolerance("log.wandb")

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        known = run.dir / ID_FILE
        if resume_step is None or not known.exists():
            self._begin(run, uuid4().hex[:8])
        else:
            self._go_on(run, known.read_text(encoding="utf-8").strip())
        if resume_step is not None:
            self._run.config.update(dict(run.hparams), allow_val_change=True)
            for report in reports_of(run):
                self._send(report)

    def _begin(self, run: RunInfo, identity: str) -> None:
        replace_text(run.dir / ID_FILE, identity + "\n")
        self._run = self._wandb.init(
            **self._arguments,
            name=self._name or run.name,
            dir=str(run.dir),
            id=identity,
            resume="allow",
            settings=self._wandb.Settings(**PRIVATE),
        )
        self._run.define_metric("*", step_metric="global_step")
        self._number, self._delivery = 0, Delivery({ROW: self._run.step})

    def _go_on(self, run: RunInfo, identity: str) -> None:
        offline = self._arguments["mode"] == "offline"
        if offline and _set_aside(run.dir / "wandb", identity):
            log.warning("W&B run %s was synchronized, and takes nothing back: a new one begins", identity)
            identity = uuid4().hex[:8]
        self._begin(run, identity)
        if self._run.step > len(reports_of(run)) and not is_exact(run):
            log.warning("W&B run %s has reports that this resume replaces: a new one begins", identity)
            self._run.finish()
            self._begin(run, uuid4().hex[:8])

    def log_hparams(self, hparams: Mapping[str, Any]) -> None:
        self._run.config.update(dict(hparams), allow_val_change=True)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        if not self._tolerance.has_failed:
            with self._tolerance.sending():
                self._send(Report(metrics, step, stage, time.time()))

    def _send(self, report: Report) -> None:
        """Send `report` as the row of its number, if W&B lacks that."""
        number, self._number = self._number, self._number + 1
        if self._delivery.due([ROW]):
            values = {f"{report.stage}/{name}": value for name, value in report.metrics.items()}
            self._run.log({"global_step": report.step, "_timestamp": report.time, **values}, step=number)

    def close(self) -> None:
        if self._run is not None:
            with self._tolerance.sending():
                self._run.finish()
            self._run = None


def _set_aside(folder: Path, identity: str) -> bool:
    """Move what earlier sessions left of a run where `wandb sync` does not look; return whether it was sent before."""
    was_sent = False
    for session in sorted(folder.glob(f"offline-run-*-{identity}")):
        was_sent |= any(session.glob("*.synced"))
        replaced = folder / "replaced"
        replaced.mkdir(exist_ok=True)
        session.rename(replaced / session.name)
    return was_sent
