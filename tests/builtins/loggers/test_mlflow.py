"""`log.mlflow`: what the real client reads back from its file store."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

pytest.importorskip("mlflow", reason="needs ot-builtins[mlflow]")

from mlflow.tracking import MlflowClient

from offline_trainer_core.types import Exactness
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


REPORTS = [(1, "train"), (2, "train"), (2, "val"), (3, "train")]


@pytest.fixture
def exact(run_info):
    return replace(run_info, exactness=Exactness())


def test_an_exact_resume_sends_what_is_missing_and_nothing_twice(exact, session, tmp_path):
    saved = session(exact, MLflow(), REPORTS, saved=2, killed=True)
    session(exact, MLflow(), [*REPORTS[2:], (4, "train")], (2, saved))
    client, run = only_run(tmp_path / "mlruns")
    assert history(client, run, "train/loss") == [(n, n / 8) for n in (1, 2, 3, 4)]
    assert history(client, run, "val/loss") == [(2, 1.25)]


def test_what_a_kill_lost_or_tore_is_sent_again(exact, session, tmp_path):
    saved = session(exact, MLflow(), REPORTS, saved=4, killed=True)
    train, val = (next(tmp_path.glob(f"mlruns/*/*/metrics/{stage}/loss")) for stage in ("train", "val"))
    train.write_text(train.read_text()[:-8])
    val.write_text("")
    session(exact, MLflow(), [(4, "train")], (3, saved))
    client, run = only_run(tmp_path / "mlruns")
    assert history(client, run, "train/loss") == [(n, n / 8) for n in (1, 2, 3, 4)]
    assert history(client, run, "val/loss") == [(2, 1.25)]


def test_where_a_resume_is_not_exact_a_new_run_has_everything(run_info, session, tmp_path, caplog):
    saved = session(run_info, MLflow(), REPORTS, saved=2, killed=True)
    session(run_info, MLflow(), REPORTS[2:], (2, saved))
    assert "a new one begins" in caplog.text
    client = MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    run = client.get_run((tmp_path / "mlflow_run_id.txt").read_text().strip())
    assert history(client, run, "train/loss") == [(n, n / 8) for n in (1, 2, 3)]
    assert history(client, run, "val/loss") == [(2, 1.25)]


def test_a_resume_that_replaces_nothing_goes_on_however_exact_it_is(run_info, session, tmp_path):
    saved = session(run_info, MLflow(), REPORTS, saved=4)
    session(run_info, MLflow(), [(4, "train")], (3, saved))
    client, run = only_run(tmp_path / "mlruns")
    assert history(client, run, "train/loss") == [(n, n / 8) for n in (1, 2, 3, 4)]


def test_a_store_that_fails_is_said_once_and_does_not_stop_the_run(run_info, session, tmp_path, caplog):
    logger = MLflow()
    logger.open(run_info, None)
    shutil.rmtree(tmp_path / "mlruns")
    for step in (1, 2, 3):
        logger.log_metrics({"loss": 1.0}, step=step, stage="train")
    logger.close()
    said = [record.message for record in caplog.records if record.name.startswith("ot_builtins")]
    assert len(said) == 1
    assert said[0].startswith("log.mlflow fails, and the run goes on without it")


def test_the_environment_says_where_unless_the_configuration_does(run_info, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "environment").as_uri())
    for logger in (MLflow(), MLflow(tracking_uri=(tmp_path / "configured").as_uri())):
        logger.open(run_info, None)
        logger.close()
    assert only_run(tmp_path / "environment")
    assert only_run(tmp_path / "configured")
    assert not (tmp_path / "mlruns").exists()
