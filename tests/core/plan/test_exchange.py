"""What parts read from each other must be there, where readers tell what there is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.config import resolve_config
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan import check_config_tree

COMPONENTS = """
raise ImportError("imported")


class Anything:
    def __init__(self, **arguments): ...


class Net:
    def __init__(self): ...

    def forward(self, obs, scale=1.0): ...


class Optimizer:
    def __init__(self, params, lr=0.1): ...


class Watches:
    def batch_process(self, batch) -> None: ...


class Adds:
    def batch_process(self, batch): ...
"""

READERS = """
from types import SimpleNamespace as Account


def read_data(arguments):
    return Account(fields=arguments.get("fields"))


def read_io(arguments):
    named = arguments.get("named", {})
    reads = [(f"named.{name}", "batch", path) for name, path in named.items()]
    return Account(calls=(0, {name: f"named.{name}" for name in named}), targets=("y",), reads=reads)


def read_loss(arguments):
    pairs = {"target": "targets", "output": "outputs", "mask": "batch"}
    return Account(reports=(), reads=[(name, pairs[name], path) for name, path in arguments.items()])


def read_graph(definition):
    return Account(inputs=definition["inputs"], outputs=definition.get("outputs"))


def read_supervised(arguments):
    model = arguments.get("model")
    return Account(reports=("loss",), trains=model, reads=[("model", "models", model)])


def read_error(arguments):
    return Account(reports=("error",))


def read_stop(arguments):
    return Account(reads=[("monitor", "validation", [arguments["monitor"].removeprefix("val/")])])


def read_factory(arguments):
    hands = [("groups[0]", "optim_cls.X", list(arguments["groups"][0]))]
    return Account(references=[("of", "optim_cls.X")], hands=hands)


def read_wrong(arguments):
    return Account(reads=["field"])
"""

PARTS = {
    "algo.supervised": ("Anything", "read_supervised"),
    "trainer.default": ("Anything", None),
    "strategy.single": ("Anything", None),
    "launcher.local": ("Anything", None),
    "data.rows": ("Anything", "read_data"),
    "io.named": ("Anything", "read_io"),
    "loss.one": ("Anything", "read_loss"),
    "loss.silent": ("Anything", None),
    "loss.wrong": ("Anything", "read_wrong"),
    "frontend.graph": ("Anything", "read_graph"),
    "model.net": ("Net", None),
    "metric.error": ("Anything", "read_error"),
    "metric.silent": ("Anything", None),
    "cb.stop": ("Anything", "read_stop"),
    "cb.watches": ("Watches", None),
    "cb.adds": ("Adds", None),
    "optim_factory.f": ("Anything", "read_factory"),
    "optim_cls.X": ("Optimizer", None),
}

EXPERIMENT = """
schema_version: 1
run: {name: test, out_dir: runs}
data: {_type_: data.rows, fields: [obs, action, pad]}
normalize: {obs: mean_std}
model: {graph: {inputs: [obs], outputs: [a]}}
io: {_type_: io.named, named: {obs: obs}}
loss: {_type_: loss.one, target: y, output: a, mask: pad}
optimizer: {_type_: optim_factory.f, groups: [{lr: 0.1}]}
metrics: [{_type_: metric.error}]
callbacks: [{_type_: cb.stop, monitor: error}, {_type_: cb.watches}]
"""


@pytest.fixture
def problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a function that checks the experiment with texts replaced, and gives the problems."""
    (tmp_path / "exchange_parts.py").write_text(COMPONENTS)
    (tmp_path / "exchange_readers.py").write_text(READERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    entries = [Entry(key, f"exchange_parts:{name}", "ot-parts", "0.1.0") for key, (name, _) in PARTS.items()]
    readers = [
        replace(entry, reference=f"exchange_readers:{PARTS[entry.key][1]}") for entry in entries if PARTS[entry.key][1]
    ]

    def problems(*changes: str) -> tuple[Problem, ...]:
        text = EXPERIMENT
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        file = tmp_path / "experiment.yaml"
        file.write_text(text)
        return check_config_tree(resolve_config(file), Registry(entries, readers=readers)).problems

    yield problems
    assert "exchange_parts" not in sys.modules


@pytest.fixture
def check(problems: Any) -> Any:
    """Return a function that checks the experiment with texts replaced; gives codes and paths of the problems."""
    return lambda *changes: [(problem.code, problem.config_path) for problem in problems(*changes)]


def test_an_experiment_that_fits_has_no_problem(check: Any) -> None:
    assert check() == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{obs: obs}", "{obs: osb}", ("unknown-field", "io.named.obs")),
        ("{obs: obs}", "{obs: [osb, 0]}", ("unknown-field", "io.named.obs")),
        ("mask: pad", "mask: pda", ("unknown-field", "loss.mask")),
        ("normalize: {obs", "normalize: {osb", ("unknown-field", "normalize.osb")),
        ("target: y", "target: yy", ("unknown-target", "loss.target")),
        ("output: a", "output: aa", ("unknown-output", "loss.output")),
        ("monitor: error", "monitor: eror", ("unknown-metric", "callbacks[0].monitor")),
        ("named: {obs:", "named: {osb:", ("model-inputs", "io.named.osb")),
        ("[{lr: 0.1}]", "[{rl: 0.1}]", ("unknown-argument", "optimizer.groups[0].rl")),
    ],
)
def test_what_is_not_there_is_an_error_at_the_name(check: Any, old: str, new: str, expected: tuple[str, str]) -> None:
    assert check(old, new) == [expected]


def test_what_stands_before_a_name_stays_in_the_suggestion(problems: Any) -> None:
    (problem,) = problems("monitor: error", "monitor: val/eror")
    line, column = problem.source_line, problem.location.column - 1
    assert line[column : column + problem.width] == "val/eror"
    assert (problem.suggestion, problem.allowed) == ("val/error", "val/loss, val/error")
    (problem,) = problems("monitor: error", "monitor: eror")
    assert (problem.suggestion, problem.allowed) == ("error", "loss, error")


def test_a_path_into_a_field_is_the_fields_affair(check: Any) -> None:
    assert check("{obs: obs}", "{obs: obs.left.3}", "mask: pad", "mask: [pad, 0]") == []


@pytest.mark.parametrize(
    ("change", "by"),
    [
        (("fields: [obs, action, pad]", "rows: 3"), "data that does not tell its fields"),
        (("{_type_: cb.watches}", "{_type_: cb.adds}"), "a callback that hands back a batch"),
    ],
)
def test_fields_that_nobody_knows_are_not_checked(check: Any, change: tuple[str, str], by: str) -> None:
    assert check("{obs: obs}", "{obs: other}", *change) == [], by


def test_numbers_of_validation_are_checked_only_where_every_part_tells_its_own(check: Any) -> None:
    assert check("monitor: error", "monitor: else", "metric.error", "metric.silent") == []
    assert check("monitor: error", "monitor: else", "loss.one, target: y, output: a, mask: pad", "loss.silent") == []
    assert check("monitor: error", "monitor: loss") == []


def test_a_model_is_called_as_the_source_of_its_forward_says(check: Any) -> None:
    net = ("model: {graph: {inputs: [obs], outputs: [a]}}", "model: {_type_: model.net}")
    assert check(*net) == []
    assert check(*net, "named: {obs: obs}", "named: {obs: obs, scale: pad}") == []
    assert check(*net, "named: {obs: obs}", "named: {obs: obs, scal: pad}") == [("model-inputs", "io.named.scal")]
    assert check(*net, "named: {obs: obs}", "named: {scale: pad}") == [("model-inputs", "io._type_")]


def test_among_several_models_the_algorithm_says_which_is_trained(check: Any) -> None:
    two = "model: {components: {big: {graph: {inputs: [obs], outputs: [a]}}, small: {graph: {inputs: [x]}}}}\n"
    change = (
        "model: {graph: {inputs: [obs], outputs: [a]}}\n",
        f"{two}algorithm: {{_type_: algo.supervised, model: big}}\n",
    )
    assert check(*change) == []
    assert check(*change, "named: {obs:", "named: {osb:") == [("model-inputs", "io.named.osb")]
    assert check(*change, "model: big", "model: bg") == [("unknown-model-component", "algorithm.model")]


def test_an_account_of_the_wrong_form_is_the_readers_failure(check: Any) -> None:
    assert ("reader-failed", "loss._type_") in check("loss.one, target: y, output: a, mask: pad", "loss.wrong")
