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


def test_the_nearest_argument_is_not_suggested_twice(check: Any) -> None:
    text = EXPERIMENT + "trainer: {_type_: trainer.default, max_epochs: 1, max_epoch: 2}\n"
    [problem] = check(text).problems
    assert problem.suggestion is None
    assert problem.message.endswith("(ot-parts 0.1.0), and 'max_epochs' is already given")
    [problem] = check(text.replace("max_epochs: 1", "_args_: [1]")).problems
    assert problem.message.endswith("'max_epochs' is already given")
    [problem] = check(EXPERIMENT.replace("name: test", "name: test, nme: tset")).problems
    assert (problem.message, problem.suggestion) == ("'nme' is not a key of 'run', and 'name' is already given", None)


def test_a_misspelled_argument_may_have_been_meant_to_override_the_one_of_another_text(check: Any) -> None:
    text = EXPERIMENT + "trainer: {_type_: trainer.default, max_epochs: 1}\n"
    for override, meant in (("+trainer.max_epoch=2", "max_epochs"), ("+run.nme=other", "name")):
        [problem] = check(text, override).problems
        assert (problem.suggestion, "already given" in problem.message) == (meant, False)


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
        ("dims: [4, 2]", "dims: [4, x]", "model.sequential.layers[0].dims[1]", "int or null, not the string 'x'"),
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


@pytest.mark.parametrize(
    ("arguments", "code", "place", "said"),
    [
        ("size: 0", "wrong-type", "size", "takes int at least 1, not the number 0"),
        ("size: {_type_: loss.open}", "wrong-type", "size._type_", "takes int at least 1, not the component loss.open"),
        ("metric: error", "wrong-type", "metric", "takes Metric (metric.*) or null, not the string 'error'"),
        ("metric: {_type_: loss.open}", "wrong-kind", "metric._type_", "not the component loss.open"),
        ("parts: {a: {_type_: cb.progress}}", "wrong-kind", "parts.a._type_", "takes Metric (metric.*)"),
        ("names: [error, eror]", "unknown-component", "names[1]", "no component 'eror' is installed"),
        ("known: eror", "wrong-type", "known", "takes one of 'error', 'absent', not the string 'eror'"),
    ],
)
def test_annotations_tell_bounds_kinds_and_names(check: Any, arguments: str, code: str, place: str, said: str) -> None:
    [problem] = check(f"{EXPERIMENT}callbacks: [{{_type_: cb.typed, {arguments}}}]\n").problems
    assert (problem.code, problem.config_path) == (code, f"callbacks[0].{place}")
    assert said in problem.message


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [("size: 3.0", "size: 3"), ("size: '8'", "size: 8"), ("metric: error", "metric: {_type_: metric.<name>}")],
)
def test_what_to_write_instead_is_said(check: Any, arguments: str, fix: str) -> None:
    [problem] = check(f"{EXPERIMENT}callbacks: [{{_type_: cb.typed, {arguments}}}]\n").problems
    assert problem.fix == fix


def test_components_that_strings_name_are_in_the_plan(check: Any) -> None:
    callback = "callbacks: [{_type_: cb.typed, names: [error], metric: {_type_: metric.error}}]\n"
    report = check(EXPERIMENT + callback)
    assert report.problems == ()
    places = {place for place, entry in report.plan.entries.items() if entry.key == "metric.error"}
    assert places == {"callbacks[0].names[0]", "callbacks[0].metric", "callbacks[0].known"}


def test_a_name_that_a_component_knows_itself_need_not_be_installed(check: Any) -> None:
    assert check(EXPERIMENT + "callbacks: [{_type_: cb.typed, known: absent}]\n").problems == ()


def test_what_the_class_of_a_factory_needs_is_missed(check: Any) -> None:
    scheduler = "scheduler: {_type_: sched_factory.torch, type: StepLR, kwargs: {gamma: 0.5}}\n"
    [problem] = check(EXPERIMENT + scheduler).problems
    assert (problem.code, problem.config_path) == ("missing-argument", "scheduler.type")
    assert problem.fix == "add step_size: ... under kwargs"
