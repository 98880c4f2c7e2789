"""Names that packages renamed: what a check says of them, and how files are rewritten."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.config import resolve_config
from offline_trainer_core.errors import Problem
from offline_trainer_core.migrate import Renaming, rename
from offline_trainer_core.plan import check_config_tree

RENAMES = [
    {"component": "loss.smooth", "to": "loss.smooth_l1", "since": "1.1"},
    {"component": "loss.smooth_l1", "to": "loss.huber", "since": "1.3"},
    {"component": "loss.smooth_l1", "argument": "beta", "to": "threshold", "since": "1.2"},
    {"component": "loss.huber", "argument": "threshold", "to": "delta", "since": "1.3"},
    {"component": "loss.huber", "argument": "scale", "to": None, "since": "1.3", "why": "multiply it yourself"},
    {"component": "loss.cosine", "to": None, "since": "1.4", "why": "nobody used it"},
    {"component": "loss.kept", "to": "loss.huber", "since": "1.4"},
    {"component": "optim_cls.Lyon", "to": "optim_cls.Lion", "since": "1.3"},
    {"component": "optim_cls.Lion", "argument": "learning_rate", "to": "lr", "since": "1.3"},
    {"component": "loss.a", "to": "loss.b", "since": "1.0"},
    {"component": "loss.b", "to": "loss.a", "since": "1.0"},
]
PARTS = f"""
from typing import Annotated
from offline_trainer_core import ComponentOf

raise ImportError("looking imports nothing")

RENAMES = {RENAMES!r}
COMPUTED = [dict(component="loss.x", to="loss.y", since="1")]
WRONG = [{{"component": "loss.x", "into": "loss.y"}}]

class Huber:
    def __init__(self, delta: float, weight=1.0): ...

class Factory:
    def __init__(self, type: Annotated[str, ComponentOf("optim_cls", kwargs="kwargs")], kwargs: dict | None = None): ...

class Lion:
    def __init__(self, params, lr: float = 0.1): ...
"""
KEYS = {
    "loss.huber": "Huber",
    "loss.kept": "Huber",
    "optim_factory.torch": "Factory",
    "optim_cls.Lion": "Lion",
}

Make = Callable[..., Registry]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    (tmp_path / "renamed_parts.py").write_text(PARTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def make(*tables: str) -> Registry:
        entries = [Entry(key, f"renamed_parts:{name}", "ot-team", "2.0") for key, name in KEYS.items()]
        return Registry(entries, renames=[Entry(name, f"renamed_parts:{name}", "ot-team", "2.0") for name in tables])

    return make


def renamed_problems(text: str, registry: Registry) -> list[Problem]:
    Path("cfg.yaml").write_text(text)
    report = check_config_tree(resolve_config("cfg.yaml"), registry)
    assert "renamed_parts" not in sys.modules
    return [problem for problem in report.problems if problem.location is not None and "loss" in problem.config_path]


def migrated(text: str, registry: Registry, **files: str) -> Renaming:
    Path("cfg.yaml").write_text(text)
    for name, content in files.items():
        Path(f"{name}.yaml").write_text(content)
    return rename("cfg.yaml", registry)


def test_a_renamed_argument_is_said_to_be_renamed(make: Make) -> None:
    (problem,) = renamed_problems("loss: {_type_: loss.huber, threshold: 1.0}", make("RENAMES"))
    assert problem.code == "renamed"
    assert problem.message == "'threshold' of loss.huber was renamed to 'delta' in ot-team 1.3"
    assert (problem.suggestion, problem.fix) == ("delta", "ot migrate --in-place cfg.yaml")


def test_without_a_table_it_is_unknown(make: Make) -> None:
    codes = [problem.code for problem in renamed_problems("loss: {_type_: loss.huber, threshold: 1.0}", make())]
    assert codes == ["missing-argument", "unknown-argument"]


def test_a_renamed_component_is_said_to_have_its_last_name(make: Make) -> None:
    (problem,) = renamed_problems("loss: {_type_: loss.smooth, beta: 1.0}", make("RENAMES"))
    assert problem.message == "'loss.smooth' was renamed to 'loss.huber' in ot-team 1.3"


def test_what_was_removed_says_why(make: Make) -> None:
    (component,) = renamed_problems("loss: {_type_: loss.cosine}", make("RENAMES"))
    assert (component.code, component.message) == (
        "removed",
        "'loss.cosine' was removed in ot-team 1.4: nobody used it",
    )
    (argument,) = renamed_problems("loss: {_type_: loss.huber, delta: 1.0, scale: 2}", make("RENAMES"))
    assert (argument.code, argument.fix) == ("removed", None)
    assert migrated("loss: {_type_: loss.cosine}", make("RENAMES")).texts == {}


def test_a_name_that_still_works_is_left_alone(make: Make) -> None:
    assert renamed_problems("loss: {_type_: loss.kept, delta: 1.0}", make("RENAMES")) == []


def test_a_circle_of_renames_leads_nowhere(make: Make) -> None:
    (problem,) = renamed_problems("loss: {_type_: loss.a}", make("RENAMES"))
    assert problem.code == "unknown-component"


@pytest.mark.parametrize("table", ["COMPUTED", "WRONG", "MISSING", "Huber"])
def test_a_table_that_cannot_be_read_is_a_note_and_stops_no_other(table: str, make: Make) -> None:
    (problem,) = renamed_problems("loss: {_type_: loss.nowhere}", make(table, "RENAMES"))
    assert any("ot-team: its renames" in note for note in problem.notes)
    (renamed,) = renamed_problems("loss: {_type_: loss.smooth}", make(table, "RENAMES"))
    assert renamed.code == "renamed"


def test_a_chain_is_followed_to_its_end_in_one_go_and_all_else_stays(make: Make) -> None:
    text = "# mine\nloss:   # a loss\n    _type_:  'loss.smooth'  # smooth\n    \"beta\": 1.0\n    weight: [1,  2]\n"
    renaming = migrated(text, make("RENAMES"))
    expected = text.replace("'loss.smooth'", "'loss.huber'").replace('"beta"', '"delta"')
    assert renaming.texts == {"cfg.yaml": expected}
    assert migrated(expected, make("RENAMES")).texts == {}


def test_a_name_with_its_distribution_keeps_it(make: Make) -> None:
    renaming = migrated("loss: {_type_: loss.smooth@ot-team, beta: 1}", make("RENAMES"))
    assert renaming.texts["cfg.yaml"] == "loss: {_type_: loss.huber@ot-team, delta: 1}"


def test_another_distributions_table_says_nothing_of_it(make: Make) -> None:
    assert migrated("loss: {_type_: loss.smooth@ot-other}", make("RENAMES")).texts == {}


def test_classes_and_their_arguments_behind_a_factory_are_renamed(make: Make) -> None:
    text = "optimizer: {_type_: optim_factory.torch, type: Lyon, kwargs: {learning_rate: 1}}"
    renaming = migrated(text, make("RENAMES"))
    assert renaming.texts["cfg.yaml"] == text.replace("Lyon", "Lion").replace("learning_rate", "lr")


def test_included_files_are_rewritten_where_they_name_it(make: Make) -> None:
    renaming = migrated(
        "defaults: [part.yaml]\nloss: {beta: 2}\n", make("RENAMES"), part="loss: {_type_: loss.smooth}\n"
    )
    assert renaming.texts == {
        "cfg.yaml": "defaults: [part.yaml]\nloss: {delta: 2}\n",
        "part.yaml": "loss: {_type_: loss.huber}\n",
    }


def test_a_name_that_is_interpolated_is_left_to_the_author(make: Make) -> None:
    renaming = migrated("params: {l: smooth}\nloss: {_type_: 'loss.${params.l}', beta: 1}\n", make("RENAMES"))
    assert renaming.texts == {}
    assert [problem.code for problem in renaming.problems] == ["renamed"]
