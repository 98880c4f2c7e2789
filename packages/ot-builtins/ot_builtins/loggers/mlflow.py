"""Metrics for MLflow."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from offline_trainer_core.nest import leaves
from offline_trainer_core.types import RunInfo
from ot_builtins.extras import import_extra

__all__ = ["MLflow"]

ID_FILE = "mlflow_run_id.txt"
PARAMS_PER_BATCH = 100
LONGEST_PARAM = 500
"""Limits of MLflow's stores; `config.json` among the artifacts has everything in full."""


class MLflow:
    """Logs to MLflow: every metric as `<stage>/<name>`, the configuration as parameters and as `config.json`.

    Where: `tracking_uri`, else the environment's `MLFLOW_TRACKING_URI`, else the folder `mlruns` in the run folder. A
    resumed run continues the same MLflow run; MLflow takes nothing back, so the steps that are repeated after a kill
    appear twice there.
    """

    def __init__(
        self, tracking_uri: str | None = None, experiment: str = "offline-trainer", name: str | None = None
    ) -> None:
        """`name` is the run's own name by default."""
        import_extra("mlflow", "mlflow", "log.mlflow")
        self._uri = tracking_uri
        self._experiment = experiment
        self._name = name
        self._client: Any = None
        self._id = ""
        self._resumed = False

    def open(self, run: RunInfo, resume_step: int | None) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=self._tracking_uri(run))
        known = run.dir / ID_FILE
        self._resumed = resume_step is not None and known.exists()
        if self._resumed:
            self._id = known.read_text(encoding="utf-8").strip()
            self._client.update_run(self._id, status="RUNNING")
        else:
            started = self._client.create_run(self._experiment_id(), run_name=self._name or run.name)
            self._id = started.info.run_id
            known.write_text(self._id + "\n", encoding="utf-8")

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

        if self._resumed:  # parameters of an MLflow run cannot be changed
            return
        flat = leaves(hparams)
        params = (Param(_key(".".join(map(str, path))), str(value)[:LONGEST_PARAM]) for path, value in flat)
        for batch in _batches(params, PARAMS_PER_BATCH):
            self._client.log_batch(self._id, params=batch)
        self._client.log_dict(self._id, dict(hparams), "config.json")

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        rows = [Metric(_key(f"{stage}/{name}"), float(value), now, step) for name, value in metrics.items()]
        self._client.log_batch(self._id, metrics=rows)

    def close(self) -> None:
        if self._client is not None:
            self._client.set_terminated(self._id)
            self._client = None


def _key(name: str) -> str:
    return re.sub(r"[^\w\-. /]", "_", name)


def _batches(items: Iterator[Any], size: int) -> Iterator[Sequence[Any]]:
    while batch := list(islice(items, size)):
        yield batch
