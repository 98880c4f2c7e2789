"""The form of a configuration: its sections, their values, specs and models."""

from __future__ import annotations

from pathlib import Path
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


MODEL = "\n  sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 2]}]}\n"


@pytest.mark.parametrize(
    ("old", "new", "place", "meant"),
    [
        ("{_type_: data.tensors", "{_typ_: data.tensors", "data._typ_", "_type_"),
        ("{_type_: data.tensors", "{_targt_: data.tensors", "data._targt_", "_target_"),
        ("batch_size: 8", "batch_size: 8, _kwrgs_: {}", "data._kwrgs_", "_kwargs_"),
        ("batch_size: 8", "batch_size: 8, _merg_: replace", "data._merg_", "_merge_"),
        ("batch_size: 8", "batch_size: 8, _seed_: 3", "data._seed_", None),
    ],
)
def test_a_misspelled_reserved_word_is_one_problem(check: Any, old: str, new: str, place: str, meant: Any) -> None:
    (problem,) = check(EXPERIMENT.replace(old, new)).problems
    assert (problem.code, problem.config_path, problem.suggestion) == ("reserved-key", place, meant)
    assert (problem.fix is None) == (meant is not None)


def test_the_line_that_mends_a_bare_name_is_yaml_that_mends_it(check: Any) -> None:
    for bare, path in (("data: data.tensors", "data"), ("callbacks: [cb.progress]", "callbacks[0]")):
        report = check(EXPERIMENT.replace("data: {_type_: data.tensors, batch_size: 8}", bare))
        (problem,) = [problem for problem in report.problems if problem.config_path == path]
        mended = f"callbacks:\n{problem.fix}" if path.startswith("callbacks") else problem.fix
        report = check(EXPERIMENT.replace("data: {_type_: data.tensors, batch_size: 8}", mended))
        assert "wrong-type" not in [problem.code for problem in report.problems]


@pytest.mark.parametrize(
    ("old", "new", "code", "place"),
    [
        ("schema_version: 1", "schema_version: 2", "wrong-type", "schema_version"),
        ("run: {name: test, out_dir: runs}", "", "missing-section", "run"),
        ("name: test, ", "", "missing-key", "run"),
        ("name: test", "name: test, sed: 3", "unknown-key", "run.sed"),
        ("name: test", "name: 3", "wrong-type", "run.name"),
        ("name: test", "name: test, seed: a", "wrong-type", "run.seed"),
        ("name: test", "name: test, precision: fp16", "wrong-type", "run.precision"),
        ("data:", "settings: {strikt: true}\ndata:", "unknown-key", "settings.strikt"),
        ("data:", "normalise: {}\ndata:", "unknown-key", "normalise"),
        ("data: {_type_: data.tensors, batch_size: 8}", "data: data.tensors", "wrong-type", "data"),
        ("{_type_: data.tensors", "{type: data.tensors", "missing-type", "data.type"),
        ("data:", "callbacks: {_type_: cb.progress}\ndata:", "wrong-type", "callbacks"),
        ("data:", "callbacks: [cb.progress]\ndata:", "wrong-type", "callbacks[0]"),
        ("{_type_: data.tensors", "{_type_: 3", "wrong-type", "data._type_"),
        ("batch_size: 8", "batch_size: 8, _seed_: 3", "reserved-key", "data._seed_"),
        ("model_kwargs: {x: obs}", "model_kwargs: {x: obs, _args_: [1]}", "reserved-key", "io.model_kwargs._args_"),
        ("batch_size: 8", "_args_: 8", "wrong-type", "data._args_"),
        ("batch_size: 8", "batch_size: 8, _target_: a.b", "conflicting-keys", "data._target_"),
        ("lr: 0.001", "lr: {_type_: loss.open}", "spec-in-data", "optimizer.kwargs.lr"),
        ("{_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}", "{lr: 3}", "missing-type", "optimizer"),
    ],
)
def test_a_wrong_form_is_reported_at_its_place(check: Any, old: str, new: str, code: str, place: str) -> None:
    assert (code, place) in codes(check(EXPERIMENT.replace(old, new)))


@pytest.mark.parametrize(
    "text",
    [
        "x-note: {_type_: nothing.here, _odd_: 1}",
        "params: {anything: [1, 2]}",
        "scheduler: null",
        "eval: null",
        "callbacks: []",
        "settings: {strict: false}\nx-a: 1",
        "normalize: {obs: mean_std, next_obs: obs}",
    ],
)
def test_what_is_free_or_switched_off_is_no_problem(check: Any, text: str) -> None:
    report = check(f"{EXPERIMENT}{text}\n")
    assert [problem for problem in report.problems if problem.config_path.startswith(("x-", "params"))] == []
    assert [code for code, _ in codes(report) if code != "reserved-key"] == []


def test_an_unknown_reserved_key_is_an_argument_where_strictness_is_off(check: Any) -> None:
    text = EXPERIMENT.replace("loss.torch, fn: {_type_: nn.MSELoss}", "loss.open, _odd_: 1")
    assert codes(check(text)) == [("reserved-key", "loss._odd_")]
    assert check(text + "settings: {strict: false}\n").problems == ()


def test_a_missing_version_is_a_warning(check: Any) -> None:
    report = check(EXPERIMENT.replace("schema_version: 1", ""))
    assert [problem.severity for problem in report.problems] == ["warning"]
    assert report.errors == ()


@pytest.mark.parametrize(
    ("model", "code", "place"),
    [
        (" block.mlp", "wrong-type", "model"),
        (" {}", "one-form", "model"),
        (" {sequental: {}}", "unknown-key", "model.sequental"),
        (" {sequential: {inputs: [x]}, graph: {inputs: [x]}}", "one-form", "model.graph"),
        (" {components: {}}", "wrong-type", "model.components"),
        (" {components: {a: {_type_: loss.open}}}", "wrong-kind", "model.components.a._type_"),
        (" {components: {a: {_type_: block.mlp, dims: [1], freeze: 3}}}", "wrong-type", "model.components.a.freeze"),
        (" {components: {a: {sequential: {inputs: [x]}, wieghts: x}}}", "unknown-key", "model.components.a.wieghts"),
        (" {components: {a: {_type_: block.mlp, dims: [1]}}, graph: {}}", "unknown-key", "model.graph"),
        (" {config: {sequential: {}}}", "missing-section", "model.config"),
        (" {config_path: nowhere.yaml}", None, None),
        (" {config_path: 3}", "wrong-type", "model.config_path"),
    ],
)
def test_a_model_has_exactly_one_known_form(check: Any, model: str, code: str | None, place: str | None) -> None:
    report = check(EXPERIMENT.replace(MODEL, f"{model}\n"))
    assert report.errors
    assert code is None or (code, place) in codes(report)


def test_the_content_of_a_model_file_may_stand_in_place(check: Any) -> None:
    content = " {config: {schema_version: 1, model: {sequential: {inputs: [x], layers: []}}}}\n"
    report = check(EXPERIMENT.replace(MODEL, content))
    assert report.problems == ()
    assert report.plan.entries["model.config.model.sequential"].key == "frontend.sequential"


def test_without_a_frontend_the_package_that_brings_them_is_named(check: Any, parts: Registry) -> None:
    registry = Registry(entry for entry in parts.entries() if entry.kind != "frontend")
    problems = check(EXPERIMENT.replace(MODEL, " {}\n"), registry=registry).problems
    assert [problem.fix for problem in problems] == ["pip install ot-policy-constructor"]


def test_problems_in_a_model_file_stand_in_that_file(check: Any, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    file = tmp_path / "models/mlp.yaml"
    file.write_text("model:\n  sequential: {inputs: [x], layers: [{_type_: block.mpl}]}\n")
    report = check(EXPERIMENT.replace(MODEL, " {config_path: models/mlp.yaml}\n"))
    assert codes(report) == [
        ("schema-version", "model.config_path"),
        ("unknown-component", "model.config_path.model.sequential.layers[0]._type_"),
    ]
    location = report.problems[1].location
    assert Path(location.file).resolve() == file
    assert (location.line, report.problems[1].suggestion) == (2, "block.mlp")
