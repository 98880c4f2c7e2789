"""`ot explain` says what a value is for and where it comes from."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from offline_trainer_core.signature import read_signature

needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="the classes of torch are read from its source")
BASE = """
params: {lr: 0.1}
trainer: {_type_: trainer.default, max_epochs: 10}
"""
TEXT = """
schema_version: 1
defaults: [base.yaml]
run: {name: small, out_dir: runs}
data:
 {_type_: data.random_regression, batch_size: 8, steps_per_epoch: 2, val_steps_per_epoch: 1, x_shape: [4], y_shape: [2]}
model: {sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 8, 2]}]}}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: MSELoss}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: "${params.lr}"}}
trainer: {max_epochs: 3}
"""


@pytest.fixture
def experiment(tmp_path: Path) -> str:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "exp.yaml").write_text(TEXT)
    return "exp.yaml"


def line_of(text: str, part: str) -> int:
    return 1 + text.count("\n", 0, text.index(part))


def test_a_value_is_shown_with_every_assignment_and_its_line(experiment, ot) -> None:
    shown = ot("explain", experiment, "trainer.max_epochs", "trainer.max_epochs=2").stdout
    assert shown.startswith("trainer.max_epochs: 2\n")
    assert re.findall(r"^  (\d+) +(.+):(\d+):\d+$", shown, re.MULTILINE) == [
        ("2", "<override 1>", "1"),
        ("3", "exp.yaml", str(line_of(TEXT, "trainer: {max"))),
        ("10", "base.yaml", str(line_of(BASE, "trainer:"))),
    ]
    for line in ("trainer.max_epochs=2", "trainer: {max_epochs: 3}", BASE.strip().splitlines()[1]):
        assert f"| {line}\n" in shown


def test_what_an_optimizer_class_takes_is_explained_where_it_is_given(experiment, ot) -> None:
    pytest.importorskip("torch")
    shown = ot("explain", experiment, "optimizer.kwargs.lr").stdout
    signature = read_signature("torch.optim.adamw:AdamW")
    assert signature is not None
    assert "learning rate" in shown
    assert "argument 'lr' of optim_cls.AdamW" in shown
    assert f"{signature.file}:{signature.line}" in shown
    assert "${params.lr} is set by" in shown


def test_json_carries_the_same(experiment, ot) -> None:
    shown = json.loads(ot("explain", experiment, "trainer.max_epochs", "--format", "json").stdout)
    assert shown["value"] == 3
    assert [step["value"] for step in shown["history"]] == [3, 10]
    assert [step["location"]["file"] for step in shown["history"]] == ["exp.yaml", "base.yaml"]
    assert shown["component"]["distribution"] == "ot-builtins"


def test_what_is_not_set_is_told_with_its_default(experiment, ot) -> None:
    shown = ot("explain", experiment, "trainer.log_every_n_steps").stdout
    signature = read_signature("ot_builtins.trainer:DefaultTrainer")
    assert signature is not None
    parameter = signature.find("log_every_n_steps")
    assert parameter is not None
    assert shown.startswith(f"trainer.log_every_n_steps: not set; default {parameter.default} (trainer.default)\n")


def test_an_unknown_path_is_one_error_with_the_nearest_that_is_known(experiment, ot) -> None:
    done = ot("explain", experiment, "trainer.log_every_n_step")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'trainer.log_every_n_steps'?" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("path", ["", "a..b", "[", "a[x]"])
def test_what_is_no_path_is_one_error(path, experiment, ot) -> None:
    done = ot("explain", experiment, path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@needs_torch
def test_errors_elsewhere_are_counted_and_do_not_get_in_the_way(experiment, ot) -> None:
    done = ot("explain", experiment, "trainer.max_epochs", "data.batch_size=many", "loss.fn=${nowhere}")
    assert done.returncode == 0
    assert done.stdout.startswith("trainer.max_epochs: 3\n")
    assert "`ot check` finds 2 errors in this configuration" in done.stdout
    here = ot("explain", experiment, "data.batch_size", "data.batch_size=many").stdout
    assert "error: 'batch_size' of data.random_regression takes" in here


@needs_torch
@pytest.mark.parametrize("text", ["${oops", "${a b}", "${nowhere.x}", "${env:NOT_SET}", '"a ${loss.fn} b"', "${}"])
def test_a_value_that_cannot_be_resolved_is_shown_as_unknown(text, experiment, ot) -> None:
    done = ot("explain", experiment, "loss.fn", f"loss.fn={text}")
    assert done.returncode == 0
    assert done.stdout.startswith("loss.fn: <unknown>\n")
    assert f"| loss.fn={text}\n" in done.stdout
    assert "`ot check` finds 1 error in this configuration" in done.stdout
