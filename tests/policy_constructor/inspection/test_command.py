"""`ot model` as people and programs read it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch  # noqa: F401
import yaml
from click.testing import CliRunner

from offline_trainer_core import ComponentError, DataError, UsageError, run
from ot_policy_constructor.inspection.command import model
from ot_policy_constructor.inspection.drawing import file


def ot_model(*arguments: str) -> str:
    return CliRunner().invoke(model, arguments, catch_exceptions=False).output


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a configuration into a file."""

    def write(config) -> str:
        (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        return "experiment.yaml"

    return write


def test_the_table_has_a_row_for_every_module_and_says_the_totals(written, mlp):
    lines = ot_model("show", written(mlp)).splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["module", "type", "input", "output", "trainable", "MB", "FLOPs", "calls", "dtype"],
        ["model", "Graph", "(B,", "5)", "(B,", "2)", "58", "0.000", "98", "1", "float32"],
        ["└─", "0", "MLP", "(B,", "5)", "(B,", "2)", "58", "0.000", "98", "1", "float32"],
    ]
    assert "parameters    58: 58 trainable, 0 frozen; 0.000 MB with buffers" in lines
    assert "shapes        B is the number of samples; a batch of this configuration has 8" in lines
    assert lines[-1].endswith("two per multiply-add; not counted: element-wise operations")


def test_frozen_parameters_have_a_column_where_there_are_any(written, two_networks, mlp):
    header, camera, *_ = ot_model("show", written(two_networks)).splitlines()
    start = header.index("frozen")
    assert camera[start : start + len("frozen")].strip() == str(3 * 3 * 3 * 4 + 4)
    assert "frozen" not in ot_model("show", written(mlp)).splitlines()[0]


def test_depth_says_how_much_is_shown_and_what_is_left_out(written, mlp):
    whole, short = ot_model("show", written(mlp)), ot_model("show", written(mlp), "--depth", "0")
    assert "Linear" in whole
    assert "deepest" not in whole
    assert "MLP" not in short
    assert "shown to depth 0; the deepest lie at 2: --depth 2 shows them all" in short


def test_json_has_every_module_and_the_same_numbers(written, two_networks):
    seen = json.loads(ot_model("show", written(two_networks), "--format", "json"))
    camera, head = seen["components"]
    assert seen["parameters"]["frozen"] == camera["module"]["parameters"]["frozen"] == 3 * 3 * 3 * 4 + 4
    assert (camera["frozen"], camera["called_by"], camera["calls"]) == (True, "validate", 2)
    assert camera["module"]["outputs"] == [{"name": "", "shape": ["B", 16], "dtype": "float32"}]
    assert [module["name"] for module in head["module"]["modules"]] == ["body", "out"]


def test_overrides_and_run_folders_are_understood(written, mlp):
    assert "(B, 2)" in ot_model("show", written(mlp), "data.batch_size=4")
    folder = run(mlp).dir
    before = sorted(Path(folder).rglob("*"))
    assert ot_model("show", str(folder)) == ot_model("show", written(mlp))
    assert sorted(Path(folder).rglob("*")) == before


def test_data_that_is_not_there_is_named(written, mlp):
    with pytest.raises(DataError, match=r"nowhere\.npz"):
        ot_model("show", written(mlp), "data.data=nowhere.npz")


@pytest.mark.parametrize("name", ["model.jpg", "model"])
def test_a_form_of_picture_that_nobody_draws_is_refused_before_anything_is_read(name):
    with pytest.raises(UsageError, match=r"the name must end in \.svg, \.png, \.pdf"):
        ot_model("draw", "no-such-file.yaml", "-o", name)


def test_a_folder_that_is_not_there_is_refused_before_anything_is_read():
    with pytest.raises(UsageError, match="there is no folder nowhere"):
        ot_model("draw", "no-such-file.yaml", "-o", "nowhere/model.svg")


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "igraph", None)
    with pytest.raises(ComponentError, match=r"pip install 'ot-policy-constructor\[draw\]'"):
        file.refuse_file(Path("model.svg"))


def test_help_is_quick_because_it_loads_no_torch():
    code = "import sys; from ot_policy_constructor.inspection import command; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_the_command_is_advertised(written, mlp):
    arguments = [sys.executable, "-m", "offline_trainer_core", "model", "show", written(mlp), "--depth", "0"]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ot_model("show", written(mlp), "--depth", "0")
