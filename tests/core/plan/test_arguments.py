"""Arguments that do not fit the signature of their component are reported where they stand."""

from __future__ import annotations

from typing import Any

import pytest

from offline_trainer_core.catalogue import Registry

EXPERIMENT = """
schema_version: 1
run: {name: test, out_dir: runs}
model:
  sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 2]}]}
data: {_type_: data.tensors, batch_size: 8}
io: {_type_: io.mapping, model_kwargs: {x: obs}, targets: {y: action}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}
"""


def codes(report: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.config_path) for problem in report.problems]


def test_an_unknown_argument_shows_the_signature_and_what_was_meant(check: Any) -> None:
    report = check(EXPERIMENT.replace("loss.torch,", "loss.torch, reducton: sum,"))
    [problem] = report.problems
    assert (problem.code, problem.config_path, problem.suggestion) == ("unknown-argument", "loss.reducton", "reduction")
    assert problem.message == "'reducton' is not an argument of loss.torch (ot-parts 0.1.0)"
    assert problem.notes[0].startswith("loss.torch(fn, reduction='mean', weights=None)   plan_parts.py:")
    line, carets = [line for line in problem.render().splitlines() if "|" in line][1:3]
    under = slice(carets.index("^"), carets.rindex("^") + 1)
    assert line[under] == "reducton"
    assert [layer.status for layer in report.layers] == ["passed", "passed", "failed", "passed"]


def test_a_missing_argument_is_named(check: Any) -> None:
    report = check(EXPERIMENT.replace(", batch_size: 8", ""))
    assert codes(report) == [("missing-argument", "data")]
    assert "needs 'batch_size'" in report.problems[0].message


@pytest.mark.parametrize(
    ("old", "new", "place", "expected"),
    [
        ("batch_size: 8", "batch_size: 8.5", "data.batch_size", "int, not the number 8.5"),
        ("batch_size: 8", "batch_size: 8, shape: [1, 2, 3]", "data.shape", "tuple[int, int], not the list [1, 2, 3]"),
        ("batch_size: 8", "batch_size: 8, shape: [1, a]", "data.shape[1]", "int, not the string 'a'"),
        ("batch_size: 8", "batch_size: 8, shuffle: yes", "data.shuffle", "bool, not the string 'yes'"),
        ("dims: [4, 2]", "dims: [4, x]", "model.sequential.layers[0].dims[1]", "int, not the string 'x'"),
        ("lr: 0.001", "lr: fast", "optimizer.kwargs.lr", "float, not the string 'fast'"),
        ("loss.torch,", "loss.torch, reduction: avg,", "loss.reduction", "one of 'mean', 'sum'"),
    ],
)
def test_a_wrong_type_is_reported_at_the_smallest_part(
    check: Any, old: str, new: str, place: str, expected: str
) -> None:
    report = check(EXPERIMENT.replace(old, new))
    assert codes(report) == [("wrong-type", place)]
    assert expected in report.problems[0].message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dims: [4, 2]", "dims: [null, 2]"),
        ("dims: [4, 2]", "_args_: [[4, 2], Tanh]"),
        ("dims: [4, 2]", "_kwargs_: {dims: [4, 2]}, dropout: 0"),
        ("loss.torch, fn: {_type_: nn.MSELoss}", "loss.open, anything: goes"),
        ("loss.torch, fn: {_type_: nn.MSELoss}", "loss.opaque, anything: goes"),
        ("fn: {_type_: nn.MSELoss}", "fn: {_type_: nn.MSELoss}, weights: {_type_: strange.open}"),
    ],
)
def test_what_fits_or_cannot_be_told_is_no_problem(check: Any, old: str, new: str) -> None:
    assert check(EXPERIMENT.replace(old, new)).problems == ()


def test_components_whose_source_does_not_tell_are_listed(check: Any) -> None:
    report = check(EXPERIMENT.replace("loss.torch, fn: {_type_: nn.MSELoss}", "loss.opaque"))
    assert report.layers[2].detail.endswith("not readable from source: loss.opaque")


@pytest.mark.parametrize(
    ("spec", "code", "place"),
    [
        ("{_type_: block.mlp, _args_: [[1, 2]], dims: [1, 2]}", "duplicate-argument", "model.dims"),
        ("{_type_: block.mlp, _args_: [[1], a, 0.1, 4]}", "too-many-arguments", "model._args_"),
        ("{_type_: block.mlp, _kwargs_: {dims: [1, 2]}, dims: [1]}", "duplicate-argument", "model._kwargs_.dims"),
        ("{_type_: nn.MSELoss, size: 3}", "unknown-argument", "model.size"),
    ],
)
def test_positional_and_collected_arguments_count(check: Any, spec: str, code: str, place: str) -> None:
    model = "\n  sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 2]}]}\n"
    assert (code, place) in codes(check(EXPERIMENT.replace(model, f" {spec}\n")))


def test_arguments_of_the_optimizer_class_are_checked_through_its_factory(check: Any) -> None:
    report = check(EXPERIMENT.replace("lr: 0.001", "learning_rate: 0.001, params: 3"))
    assert codes(report) == [
        ("unknown-argument", "optimizer.kwargs.learning_rate"),
        ("unknown-argument", "optimizer.kwargs.params"),
    ]
    assert "optim_cls.AdamW(params, lr=0.001" in report.problems[0].notes[0]


def test_best_effort_entries_only_warn(check: Any, parts: Registry) -> None:
    parts.register_module("loss.lenient", "plan_parts:Loss", signature_policy="best_effort")
    report = check(EXPERIMENT.replace("loss.torch,", "loss.lenient, reducton: sum,"))
    assert codes(report) == [("unknown-argument", "loss.reducton")]
    assert report.errors == ()
    assert report.layers[2].status == "passed"


def test_a_misspelled_argument_is_not_also_missing(check: Any) -> None:
    assert codes(check(EXPERIMENT.replace("batch_size: 8", "batch_siz: 8"))) == [("unknown-argument", "data.batch_siz")]
    report = check(EXPERIMENT.replace("batch_size: 8", "unlike_anything: 8"))
    assert codes(report) == [("missing-argument", "data"), ("unknown-argument", "data.unlike_anything")]


def test_everything_is_reported_at_once_in_the_order_of_the_text(check: Any) -> None:
    text = EXPERIMENT.replace("batch_size: 8", "batch_siz: 8").replace("lr: 0.001", "lr: x").replace("name: test, ", "")
    report = check(text.replace("loss.torch", "loss.trch") + "callback: []\n")
    assert [problem.config_path for problem in report.problems] == [
        "run",
        "data.batch_siz",
        "loss._type_",
        "optimizer.kwargs.lr",
        "callback",
    ]
