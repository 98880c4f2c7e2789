"""`log.mlflow`: what the real client reads back from its file store."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("mlflow", reason="needs ot-builtins[mlflow]")

from mlflow.tracking import MlflowClient

from ot_builtins.loggers.mlflow import MLflow


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # so that what the logger sets is unset afterwards


def only_run(folder, experiment="offline-trainer"):
    client = MlflowClient(tracking_uri=folder.as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return client, found


def history(client, run, name):
    return [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]


def test_metrics_parameters_and_the_configuration_are_read_back(run_info, tmp_path):
    logger = MLflow()
    logger.open(run_info, None)
    logger.log_hparams({"trainer": {"max_steps": 3}, "model": {"layers": [{"dim": 4}, {"dim": 2}]}})
    logger.log_metrics({"loss": 0.5, "lr[0]": 0.1}, step=10, stage="train")
    logger.log_metrics({"loss": 0.25}, step=20, stage="train")
    logger.close()
    client, run = only_run(tmp_path / "mlruns")
    assert run.info.run_name == "pusht"
    assert run.info.status == "FINISHED"
    assert history(client, run, "train/loss") == [(10, 0.5), (20, 0.25)]
    assert history(client, run, "train/lr_0_") == [(10, 0.1)]
    assert run.data.params == {"trainer.max_steps": "3", "model.layers.0.dim": "4", "model.layers.1.dim": "2"}
    artifact = client.download_artifacts(run.info.run_id, "config.json", str(tmp_path))
    with open(artifact) as file:
        assert json.load(file)["model"]["layers"][1] == {"dim": 2}


def test_more_parameters_than_one_request_takes_are_all_there(run_info, tmp_path):
    logger = MLflow(experiment="many")
    logger.open(run_info, None)
    logger.log_hparams({f"p{i}": "x" * 10_000 for i in range(250)})
    logger.close()
    assert len(only_run(tmp_path / "mlruns", "many")[1].data.params) == 250


def test_a_resumed_run_is_the_same_run_there(run_info, tmp_path):
    for step, resume_step in ((1, None), (2, 1)):
        logger = MLflow()
        logger.open(run_info, resume_step)
        logger.log_metrics({"loss": float(step)}, step=step, stage="train")
        logger.close()
    client, run = only_run(tmp_path / "mlruns")
    assert history(client, run, "train/loss") == [(1, 1.0), (2, 2.0)]


def test_the_environment_says_where_unless_the_configuration_does(run_info, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "environment").as_uri())
    for logger in (MLflow(), MLflow(tracking_uri=(tmp_path / "configured").as_uri())):
        logger.open(run_info, None)
        logger.close()
    assert only_run(tmp_path / "environment")
    assert only_run(tmp_path / "configured")
    assert not (tmp_path / "mlruns").exists()
