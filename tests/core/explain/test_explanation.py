"""A value is explained by what it is for and by every assignment that led to it."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.config import resolve_config
from offline_trainer_core.errors import UsageError
from offline_trainer_core.explain import Explanation, Step, explain
from offline_trainer_core.signature import read_signature, type_in_words

PARTS = '''
raise ImportError("imported")


class Trainer:
    """Trains.

    Args:
        max_epochs: Passes over
            the data.
        mode: How to go on.
    """

    def __init__(self, max_epochs: int = 1, mode: str = "fast", api_key: str | None = None): ...


class Data:
    """Makes batches of `batch_size` samples. Nothing else."""

    def __init__(self, batch_size: int, shape: tuple[int, int] = (1, 2)): ...


class Open:
    def __init__(self, **rest): ...
'''
BASE = """
templates:
  small: {_template_: tiny, max_epochs: 5}
  tiny: {max_epochs: 3, mode: slow}
x-size: 8
callbacks:
  - {_type_: cb.open, name: first, n: 1}
"""
TEXT = """
defaults: [base.yaml]
run: {name: test, out_dir: runs}
model: {_type_: model.open}
data:
  _type_: data.made
  batch_size: ${x-size}
trainer: {_type_: trainer.default, _template_: small}
callbacks:
  _merge_: keyed
  key: name
  _value_:
    - {_type_: cb.open, name: second, n: 2}
    - {_type_: cb.open, name: first, n: 3}
"""
Explain = Callable[..., Explanation]


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    (tmp_path / "explained_parts.py").write_text(PARTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    keys = {"trainer.default": "Trainer", "data.made": "Data", "model.open": "Open", "cb.open": "Open"}
    return Registry([Entry(key, f"explained_parts:{name}", "ot-parts", "0.1.0") for key, name in keys.items()])


@pytest.fixture
def explained(parts: Registry) -> Explain:
    """Return a function that explains a path of the experiment, with overrides, or of another text."""

    def explained(path: str, *overrides: str, text: str = TEXT, env: Any = None) -> Explanation:
        Path("base.yaml").write_text(BASE)
        Path("exp.yaml").write_text(textwrap.dedent(text))
        return explain(resolve_config("exp.yaml", overrides, env=env or {}), parts, path)

    return explained


def told(steps: tuple[Step, ...]) -> list[tuple[Any, str, str]]:
    """Return value, directive and text of every assignment."""
    return [(step.value, step.directive, step.source_line or "") for step in steps]


def place_of(text: str, part: str, after: str = "") -> tuple[int, int]:
    """Return line and column at which `part` stands in `text`, after `after`."""
    start = text.index(part, text.index(after))
    return text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)


def test_an_argument_is_explained_by_its_docstring_signature_and_origin(explained) -> None:
    found = explained("trainer.max_epochs")
    signature = read_signature("explained_parts:Trainer")
    assert signature is not None
    parameter = signature.find("max_epochs")
    assert parameter is not None
    assert found.value == 5
    assert found.description == "Passes over the data."
    assert (found.takes, found.default) == (type_in_words(parameter), parameter.default)
    assert found.component is not None
    assert (found.component.key, found.component.distribution) == ("trainer.default", "ot-parts")
    assert (found.component.file, found.component.line) == (signature.file, signature.line)


def test_every_assignment_is_told_newest_first_with_its_place(explained) -> None:
    found = explained("trainer.max_epochs", "+trainer.max_epochs=7", "trainer.max_epochs=9")
    assert told(found.history) == [
        (9, "override", "trainer.max_epochs=9"),
        (7, "override", "+trainer.max_epochs=7"),
        (5, "template small", "small: {_template_: tiny, max_epochs: 5}"),
        (3, "template tiny", "tiny: {max_epochs: 3, mode: slow}"),
    ]
    places = [step.location and step.location[1:] for step in found.history]
    assert places[2:] == [place_of(BASE, "5}"), place_of(BASE, "3,")]


def test_a_template_is_told_with_the_place_that_asks_for_it(explained) -> None:
    small, tiny = explained("trainer.max_epochs").history
    assert small.template_at is not None
    assert tiny.template_at is not None
    assert (small.template_at.file, small.template_at[1:]) == ("exp.yaml", place_of(TEXT, "_template_"))
    assert (tiny.template_at.file, tiny.template_at[1:]) == ("base.yaml", place_of(BASE, "_template_"))


def test_an_interpolated_value_is_told_with_the_history_of_what_it_refers_to(explained) -> None:
    (step,) = explained("data.batch_size", "x-size=16").history
    (reference,) = step.references
    assert (step.value, step.source_line, reference.expression) == (16, "batch_size: ${x-size}", "${x-size}")
    assert told(reference.history) == [(16, "override", "x-size=16"), (8, "file", "x-size: 8")]


def test_what_came_with_a_whole_section_is_told_with_the_section(explained) -> None:
    text = TEXT.replace("  _type_: data.made\n  batch_size: ${x-size}", "  ${x-data}")
    found = explained("data.batch_size", text=f"{text}\nx-data: {{_type_: data.made, batch_size: 2}}\n")
    ((path, step),) = found.through
    assert (path, step.source_line) == ("data", "${x-data}")
    assert told(found.history) == [(2, "file", "x-data: {_type_: data.made, batch_size: 2}")]


@pytest.mark.parametrize(
    ("path", "files"), [("callbacks[0].n", ["exp.yaml", "base.yaml"]), ("callbacks[1].n", ["exp.yaml"])]
)
def test_items_of_a_merged_list_say_which_file_gave_them(path, files, explained) -> None:
    found = explained(path)
    assert [step.location and step.location.file for step in found.history] == files


def test_an_appended_item_tells_the_merge_and_the_items_before_it_do_not(explained) -> None:
    text = TEXT.replace("keyed\n  key: name", "append")
    assert explained("callbacks[0].n", text=text).through == ()
    ((path, step),) = explained("callbacks[1].n", text=text).through
    assert (path, step.directive) == ("callbacks", "merge append")


def test_what_is_not_set_is_told_by_its_default(explained) -> None:
    found = explained("trainer.mode", text=TEXT.replace(", _template_: small", ""))
    assert (found.is_set, found.default, found.history) == (False, ast.literal_eval("'fast'"), ())
    assert found.description == "How to go on."


def test_arguments_of_an_implied_component_are_known(explained) -> None:
    found = explained("trainer.max_epochs", text=TEXT.replace("trainer:", "x-trainer:"))
    assert (found.is_set, found.default) == (False, "1")
    assert found.component is not None
    assert found.component.key == "trainer.default"


@pytest.mark.parametrize(
    ("path", "default", "required"),
    [
        ("run.seed", "0", False),
        ("run.name", None, True),
        ("settings.strict", "true", False),
        ("trainer", "trainer.default", False),
    ],
)
def test_keys_of_the_language_are_known_by_its_table(path, default, required, explained) -> None:
    found = explained(path)
    assert (found.default, found.required) == (default, required)
    assert found.description


def test_a_spec_is_told_with_all_its_arguments(explained) -> None:
    arguments = {argument.name: argument for argument in explained("data").arguments}
    assert {name: argument.is_given for name, argument in arguments.items()} == {"batch_size": True, "shape": False}
    assert arguments["batch_size"].value == 8
    assert arguments["shape"].default == "[1, 2]"


def test_an_argument_that_is_not_listed_is_described_by_the_prose(explained) -> None:
    assert explained("data.batch_size").description == "Makes batches of `batch_size` samples."


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ("{_type_: trainer.default, _kwargs_: {max_epochs: 4}}", "trainer._kwargs_.max_epochs"),
        ("{_type_: trainer.default, _args_: [4]}", "trainer._args_[0]"),
    ],
)
def test_arguments_are_known_however_they_are_given(change, path, explained) -> None:
    found = explained(path, text=TEXT.replace("{_type_: trainer.default, _template_: small}", change))
    assert (found.value, found.description) == (4, "Passes over the data.")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("trainer.max_epoch", "trainer.max_epochs"),
        ("trainer.moed", "trainer.mode"),
        ("run.sed", "run.seed"),
        ("batch_size", "data.batch_size"),
    ],
)
def test_an_unknown_path_is_refused_with_the_nearest_that_is_known(path, meant, explained) -> None:
    with pytest.raises(UsageError, match=f"did you mean '{meant}'"):
        explained(path)


def test_a_wrong_argument_is_explained_as_what_it_is(explained) -> None:
    found = explained("trainer.max_epoch", "+trainer.max_epoch=3")
    assert found.role == "no argument of trainer.default"
    assert told(found.history) == [(3, "override", "+trainer.max_epoch=3")]


def test_other_problems_do_not_keep_a_value_from_being_explained(explained) -> None:
    found = explained("trainer.max_epochs", "data.batch_size=x", "+lost=1", "model._type_=model.opne")
    assert found.value == 5


def test_no_secret_is_shown_not_even_one_that_was_overridden(explained) -> None:
    text = TEXT.replace("_template_: small}", "_template_: small, api_key: '${env:KEY,first-secret}'}")
    for overrides in ([], ["trainer.api_key=second-secret"]):
        for path in ("trainer.api_key", "trainer", "trainer.max_epochs"):
            shown = repr(explained(path, *overrides, text=text, env={"KEY": "third-secret"}))
            assert "-secret" not in shown
    assert explained("trainer.api_key", text=text).value == "***"


def test_values_that_refer_to_each_other_again_and_again_are_told_once(explained) -> None:
    chain = "\n".join(f"x-v{n}: '${{x-v{n - 1}}}${{x-v{n - 1}}}'" for n in range(1, 12))
    found = explained("x-v11", text=f"{TEXT}\nx-v0: a\n{chain}\n")
    assert found.value == "a" * 2**11
    assert repr(found).count("expression=") == 22
