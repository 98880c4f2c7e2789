"""`log.jsonl`, `log.csv` and `log.stdout`: no row is lost, none is there twice."""

from __future__ import annotations

import csv
import json
import math
from contextlib import contextmanager
from pathlib import Path

import pytest

from offline_trainer_core.errors import ComponentError, DeviceError
from ot_builtins.loggers.csv import Csv
from ot_builtins.loggers.jsonl import Jsonl
from ot_builtins.loggers.stdout import Stdout


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_csv(path):
    with path.open(newline="") as file:
        return [{name: value for name, value in row.items() if value != ""} for row in csv.DictReader(file)]


LOGGERS = {"log.jsonl": (Jsonl, read_jsonl), "metrics.csv": (Csv, read_csv)}


@pytest.fixture(params=LOGGERS)
def file_logger(request, tmp_path):
    make, read = LOGGERS[request.param]
    return make, read, tmp_path / request.param


@contextmanager
def opened(logger, run_info, resume_step=None):
    logger.open(run_info, resume_step)
    yield logger
    logger.close()


def write(logger, run_info, steps, resume_step=None, name="loss"):
    with opened(logger, run_info, resume_step):
        for step in steps:
            logger.log_metrics({name: step / 8}, step=step, stage="train")


def steps_of(rows):
    return [int(row["step"]) for row in rows]


def test_every_row_is_in_the_file_as_soon_as_it_is_logged(file_logger, run_info):
    make, read, path = file_logger
    with opened(make(), run_info) as logger:
        logger.log_metrics({"loss": 0.125}, step=1, stage="train")
        assert [(int(r["step"]), r["stage"], float(r["loss"])) for r in read(path)] == [(1, "train", 0.125)]


def test_a_resume_drops_what_was_logged_after_its_checkpoint_and_goes_on(file_logger, run_info, session):
    """Of the step of the checkpoint, too: its validation came after the checkpoint was saved."""
    make, read, path = file_logger
    saved = session(run_info, make(), [(1, "train"), (2, "train"), (2, "val"), (3, "train")], saved=2, killed=True)
    session(run_info, make(), [(2, "val"), (3, "train"), (4, "train")], (2, saved))
    rows = [(int(row["step"]), row["stage"]) for row in read(path)]
    assert rows == [(1, "train"), (2, "train"), (2, "val"), (3, "train"), (4, "train")]


def test_a_resume_writes_again_what_was_lost_torn_or_logged_before_the_logger_was_there(file_logger, run_info, session):
    make, read, path = file_logger
    saved = session(run_info, make(), [(1, "train"), (2, "train")], saved=2)
    for left in ("", '{"step": 1' if path.suffix == ".jsonl" else "1", None):
        path.write_text(left) if left is not None else path.unlink()
        session(run_info, make(), [(3, "train")], (2, saved))
        assert steps_of(read(path)) == [1, 2, 3]


def test_a_fresh_run_begins_an_empty_file(file_logger, run_info):
    make, read, path = file_logger
    write(make(), run_info, [1, 2])
    write(make(), run_info, [1])
    assert steps_of(read(path)) == [1]


def test_nothing_unfinished_is_left_beside_the_file(file_logger, run_info):
    make, _, path = file_logger
    with opened(make(), run_info) as logger:
        logger.log_metrics({"loss": 1.0}, step=1, stage="train")
        logger.log_metrics({"new": 1.0}, step=2, stage="val")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_new_name_adds_a_column_and_keeps_every_row(run_info, tmp_path):
    with opened(Csv(), run_info) as logger:
        logger.log_metrics({"loss": 0.5}, step=1, stage="train")
        logger.log_metrics({"accuracy": 0.5}, step=1, stage="val")
        logger.log_metrics({"loss": 1.0}, step=2, stage="train")
    assert read_csv(tmp_path / "metrics.csv") == [
        {"step": "1", "stage": "train", "loss": "0.5"},
        {"step": "1", "stage": "val", "accuracy": "0.5"},
        {"step": "2", "stage": "train", "loss": "1.0"},
    ]
    assert (tmp_path / "metrics.csv").read_text().splitlines()[0] == "step,stage,loss,accuracy"


def test_a_resumed_table_keeps_the_columns_of_the_rows_that_it_keeps(run_info, tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "stage": "train", "time": 0, "loss, mean": 0.125}\n')
    write(Csv(), run_info, [2], resume_step=1, name="other")
    assert read_csv(tmp_path / "metrics.csv") == [
        {"step": "1", "stage": "train", "loss, mean": "0.125"},
        {"step": "2", "stage": "train", "other": "0.25"},
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("make", [Jsonl, Csv])
def test_a_full_disk_is_said_with_the_file_that_is_full(make, run_info, tmp_path):
    logger = make()
    logger.open(run_info, None)
    logger._file.close()
    logger._file = open("/dev/full", "w")  # noqa: SIM115 - it stays open as the logger's own file does
    with pytest.raises(DeviceError, match=rf"cannot write {tmp_path}/\S+: No space left on device"):
        logger.log_metrics({}, step=1, stage="train")
    with pytest.raises(OSError, match="No space"):
        logger._file.close()


def test_json_has_no_nan_so_it_is_a_word(run_info, tmp_path):
    with opened(Jsonl(), run_info) as logger:
        logger.log_metrics({"a": math.nan, "b": -math.inf, "c": 0.1}, step=1, stage="val")
    line = (tmp_path / "log.jsonl").read_text()
    assert json.loads(line, parse_constant=pytest.fail) == {
        "a": "nan",
        "b": "-inf",
        "c": 0.1,
        "step": 1,
        "stage": "val",
    }


def test_the_runs_own_record_is_not_to_be_written_over(run_info):
    with pytest.raises(ComponentError, match="written by the run itself"):
        Jsonl("metrics.jsonl").open(run_info, None)


@pytest.mark.parametrize("make", [Jsonl, Csv])
def test_a_relative_path_stays_in_the_run_folder(make, run_info):
    with pytest.raises(ComponentError, match="leads out of the run folder"):
        make("../log").open(run_info, None)


@pytest.mark.parametrize("make", [Jsonl, Csv])
def test_an_absolute_path_is_what_the_user_typed(make, run_info, tmp_path):
    write(make(str(tmp_path / "elsewhere" / "log")), run_info, [1])
    assert (tmp_path / "elsewhere" / "log").exists()


def test_stdout_prints_training_at_its_cadence_and_validation_always(capsys):
    logger = Stdout(every_n_steps=10)
    for step in range(5, 30, 5):
        logger.log_metrics({"loss": 0.125}, step=step, stage="train")
    logger.log_metrics({"loss": 0.25, "accuracy": 1.0}, step=26, stage="val")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["step", "5", "train"],
        ["step", "15", "train"],
        ["step", "25", "train"],
        ["step", "26", "val"],
    ]
    assert lines[-1].endswith("loss 0.25  accuracy 1")
