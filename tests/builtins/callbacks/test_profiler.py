"""`cb.profiler`: a trace of the steps that were asked for."""

from __future__ import annotations

import json

import pytest
import torch  # noqa: F401 - runs train

from offline_trainer_core.errors import ComponentError
from ot_builtins.callbacks.profiler import Profiler


def test_the_trace_has_the_active_steps_and_the_table_their_operators(fit):
    run = fit({"profiler": Profiler(wait=2, warmup=1, active=2)}, max_epochs=1)
    written = sorted(path.name for path in (run.dir / "profile").iterdir())
    assert written == ["operators_step_5.txt", "trace_step_5.json"]
    names = {e["name"] for e in json.loads((run.dir / "profile/trace_step_5.json").read_text())["traceEvents"]}
    assert {"ProfilerStep#3", "ProfilerStep#4"} <= names
    assert "ProfilerStep#2" not in names
    assert "aten::addmm" in (run.dir / "profile/operators_step_5.txt").read_text()


def test_a_run_that_begins_writes_among_no_traces_outside_of_its_folder(fit, tmp_path):
    folder = tmp_path / "traces"
    folder.mkdir()
    options = {"wait": 1, "warmup": 1, "active": 1, "dir": str(folder)}
    fit({"profiler": Profiler(**options)}, max_epochs=1, folder=tmp_path / "first")
    written = {path: path.read_bytes() for path in folder.iterdir()}
    assert written
    with pytest.raises(ComponentError, match=r"traces exists already, outside of the run folder"):
        fit({"profiler": Profiler(**options)}, max_epochs=1, folder=tmp_path / "second")
    assert {path: path.read_bytes() for path in folder.iterdir()} == written


def test_a_run_that_ends_before_anything_was_recorded_leaves_no_trace(fit):
    run = fit({"profiler": Profiler(wait=100)}, max_epochs=1)
    assert list((run.dir / "profile").glob("trace*")) == []
