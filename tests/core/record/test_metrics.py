"""The metrics file keeps what was logged, and drops what a resumed run logs again."""

import errno
import json
import math
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer_core.errors import OfflineTrainerError
from offline_trainer_core.record import RecordLogger, read_metrics
from offline_trainer_core.types import RunInfo


@pytest.fixture
def path(tmp_path):
    return tmp_path / "metrics.jsonl"


@pytest.fixture
def uninterrupted(tmp_path):
    (tmp_path / "uninterrupted").mkdir()
    return tmp_path / "uninterrupted" / "metrics.jsonl"


def opened(path, resume_step=None):
    logger = RecordLogger()
    logger.open(RunInfo("bc", path.parent), resume_step)
    return logger


def write(path, steps, resume_step=None):
    metrics = opened(path, resume_step)
    for step in steps:
        metrics.log_metrics({"loss": 1 / (step + 1)}, step=step, stage="train")
    metrics.close()


def without_time(path):
    return [{name: value for name, value in line.items() if name != "time"} for line in read_metrics(path)]


def test_a_line_says_step_stage_and_time(path):
    metrics = opened(path)
    metrics.log_metrics({"loss": 0.1, "samples": 3}, step=100, stage="train")
    metrics.close()
    line = json.loads(path.read_text())
    assert list(line) == ["step", "stage", "time", "loss", "samples"]
    assert (line["step"], line["stage"], line["loss"], line["samples"]) == (100, "train", 0.1, 3)
    assert line["time"] > 1_700_000_000


def test_a_line_can_be_read_as_soon_as_it_is_written(path):
    metrics = opened(path)
    metrics.log_metrics({"loss": 0.1}, step=1, stage="train")
    assert len(list(read_metrics(path))) == 1
    metrics.close()


@given(st.floats())
def test_every_number_comes_back(tmp_path_factory, number):
    path = tmp_path_factory.mktemp("run") / "metrics.jsonl"
    metrics = opened(path)
    metrics.log_metrics({"value": number}, step=1, stage="val")
    metrics.close()
    [line] = [json.loads(text, parse_constant=pytest.fail) for text in path.read_text().splitlines()]
    value = float(line["value"])
    assert value == number or (math.isnan(value) and math.isnan(number))


def test_a_metric_named_like_a_field_is_not_lost(path):
    metrics = opened(path)
    metrics.log_metrics({"time": 2.5, "step": 7}, step=1, stage="eval")
    metrics.close()
    [line] = read_metrics(path)
    assert (line["step"], line["metric.time"], line["metric.step"]) == (1, 2.5, 7)


def test_a_resumed_run_logs_what_the_uninterrupted_one_did(path, uninterrupted):
    write(uninterrupted, range(10))
    write(path, range(7))
    write(path, range(5, 10), resume_step=4)
    assert without_time(path) == without_time(uninterrupted)


def test_without_dropping_the_lines_would_stand_twice(path, uninterrupted):
    write(uninterrupted, range(10))
    write(path, range(7))
    write(path, range(5, 10), resume_step=100)
    assert without_time(path) != without_time(uninterrupted)


def test_what_was_logged_after_the_checkpoint_of_a_step_is_dropped_too(path):
    first = opened(path)
    first.log_metrics({"loss": 1.0}, step=1, stage="train")
    seen = first.state_dict()
    first.log_metrics({"loss": 2.0}, step=1, stage="val")
    first.close()
    for state, stages in ((seen, ["train"]), (first.state_dict(), ["train", "val"])):
        resumed = RecordLogger()
        resumed.load_state_dict(state)
        lines = path.read_text()
        resumed.open(RunInfo("bc", path.parent), 1)
        resumed.close()
        assert [line["stage"] for line in read_metrics(path)] == stages
        path.write_text(lines)


def test_a_fresh_run_begins_empty(path):
    write(path, range(3))
    write(path, [5])
    assert [line["step"] for line in read_metrics(path)] == [5]


def test_a_last_line_that_a_kill_cut_short_is_dropped(path):
    write(path, range(3))
    path.write_bytes(path.read_bytes()[:-5])
    assert [line["step"] for line in read_metrics(path)] == [0, 1]
    write(path, [2], resume_step=2)
    assert [line["step"] for line in read_metrics(path)] == [0, 1, 2]


def test_a_run_that_logged_nothing_has_no_metrics(path):
    assert list(read_metrics(path)) == []


def test_a_full_disk_is_named(path, monkeypatch):
    metrics = opened(path)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OfflineTrainerError, match=r"metrics\.jsonl: the disk is full"):
            metrics.log_metrics({"loss": 0.1}, step=1, stage="train")
    metrics.close()


def test_looking_at_a_record_loads_no_torch():
    script = "import sys, offline_trainer_core.record; print('torch' in sys.modules or 'numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )
