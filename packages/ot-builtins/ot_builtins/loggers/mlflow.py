"""Metrics for MLflow."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from offline_trainer_core.nest import leaves
from offline_trainer_core.types import RunInfo
from ot_builtins.extras import import_extra
from ot_builtins.loggers.history import Delivery, Report, Tolerance, is_exact, reports_of
from ot_builtins.loggers.rows import read_complete_lines, replace_text

__all__ = ["MLflow"]

log = logging.getLogger(__name__)

ID_FILE = "mlflow_run_id.txt"
PARAMS_PER_BATCH = 100
METRICS_PER_BATCH = 1000
LONGEST_PARAM = 500
"""Limits of MLflow's stores; `config.json` among the artifacts has everything in full."""


class MLflow:
    """Logs to MLflow: every metric as `<stage>/<name>`, the configuration as parameters and as `config.json`.

    A resumed run continues the same MLflow run and sends what that lacks. MLflow takes nothing back: where it has
    values that the resumed run will not repeat to the bit, a new MLflow run begins, with everything reported so far. A
    server that fails while the run trains does not stop it.
    """

    def __init__(
        self, tracking_uri: str | None = None, experiment: str = "offline-trainer", name: str | None = None
    ) -> None:
        """Where to: `tracking_uri`, else the environment's `MLFLOW_TRACKING_URI`, else `mlruns` in the run folder.

        `experiment` is made where it does not exist, and `name` is the run's own by default.
        """
        import_extra("mlflow", "mlflow", "log.mlflow")
        self._uri = tracking_uri
        self._experiment = experiment
        self._name = name
        self._client: Any = None
        self._id = ""
        self._delivery = Delivery({})
        self._tolerance = Tolerance("log.mlflow")

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        from mlflow.tracking import MlflowClient

        uri = self._tracking_uri(run)
        self._client = MlflowClient(tracking_uri=uri)
        known = run.dir / ID_FILE
        if resume_step is None:
            self._begin(run)
            return
        reports = reports_of(run)
        if known.exists():
            self._go_on(known.read_text(encoding="utf-8").strip(), uri)
        else:
            self._begin(run)
            self.log_hparams(run.hparams)
        missing = self._missing(reports)
        if self._delivery.is_ahead and not is_exact(run):
            log.warning("MLflow run %s has values that this resume replaces: a new one begins", self._id)
            self._begin(run)
            self.log_hparams(run.hparams)
            missing = self._missing(reports)
        self._send(missing)

    def _begin(self, run: RunInfo) -> None:
        self._id = self._client.create_run(self._experiment_id(), run_name=self._name or run.name).info.run_id
        self._delivery = Delivery({})
        replace_text(run.dir / ID_FILE, self._id + "\n")

    def _go_on(self, identity: str, uri: str) -> None:
        self._id = identity
        if uri.startswith("file:"):
            _mend(Path(unquote(urlsplit(uri).path)), identity)
        self._client.update_run(identity, status="RUNNING")
        names = self._client.get_run(identity).data.metrics
        self._delivery = Delivery({name: len(self._client.get_metric_history(identity, name)) for name in names})

    def _tracking_uri(self, run: RunInfo) -> str:
        uri = self._uri or os.environ.get("MLFLOW_TRACKING_URI") or (run.dir.resolve() / "mlruns").as_uri()
        if uri.startswith("file:"):
            # MLflow 3 wants to be told that a folder is meant: it recommends a database for its newer features.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        return uri

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(self._experiment)
        identity: str = found.experiment_id if found else self._client.create_experiment(self._experiment)
        return identity

    def log_hparams(self, hparams: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        flat = leaves(hparams)
        params = (Param(_key(".".join(map(str, path))), str(value)[:LONGEST_PARAM]) for path, value in flat)
        for batch in _batches(params, PARAMS_PER_BATCH):
            self._client.log_batch(self._id, params=batch)
        self._client.log_dict(self._id, dict(hparams), "config.json")

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        rows = self._missing([Report(metrics, step, stage, time.time())])
        if not self._tolerance.has_failed:
            with self._tolerance.sending():
                self._send(rows)

    def _missing(self, reports: Iterable[Report]) -> list[Any]:
        """Return the values that MLflow lacks of `reports`, which the run makes now."""
        from mlflow.entities import Metric

        rows = []
        for report in reports:
            values = {_key(f"{report.stage}/{name}"): float(value) for name, value in report.metrics.items()}
            due, now = self._delivery.due(values), int(report.time * 1000)
            rows += [Metric(key, value, now, report.step) for key, value in values.items() if key in due]
        return rows

    def _send(self, rows: Sequence[Any]) -> None:
        for batch in _batches(iter(rows), METRICS_PER_BATCH):
            self._client.log_batch(self._id, metrics=batch)

    def close(self) -> None:
        if self._client is not None:
            with self._tolerance.sending():
                self._client.set_terminated(self._id)
            self._client = None


def _mend(store: Path, identity: str) -> None:
    """Take from the files of a run in a folder what a kill left of half a line: MLflow would read none of them."""
    for file in store.glob(f"*/{identity}/metrics/**/*"):
        if file.is_file():
            whole = "".join(read_complete_lines(file))
            if not whole:
                file.unlink()
            elif len(whole.encode()) < file.stat().st_size:
                replace_text(file, whole)


def _key(name: str) -> str:
    return re.sub(r"[^\w\-. /]", "_", name)


def _batches(items: Iterator[Any], size: int) -> Iterator[Sequence[Any]]:
    while batch := list(islice(items, size)):
        yield batch
