"""The deep check imports what no source tells, and checks it as the others are checked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.config import Config, resolve_config
from offline_trainer_core.plan import check_config_tree
from offline_trainer_core.plan.deep import check_arguments_live

SOURCE = """
import functools


def keep(function):
    @functools.wraps(function)
    def kept(*args, **kwargs):
        return function(*args, **kwargs)
    return kept


@keep
def Wrapped(size: int, mode: str = "fast"): ...


class Plain:
    def __init__(self, size: int): ...
"""
TEXT = """
schema_version: 1
run: {name: test, out_dir: runs}
model: {_type_: model.wrapped, SPELLING: 3}
data: {_type_: data.plain, sizes: 3}
"""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    (tmp_path / "deep_parts.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    targets = {"model.wrapped": "deep_parts:Wrapped", "data.plain": "deep_parts:Plain", "loss.gone": "nowhere:Gone"}
    return Registry(Entry(key, reference, "ot-deep", "1.0") for key, reference in targets.items())


def resolved(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "deep.yaml"
    file.write_text(text)
    return resolve_config(file)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("size: 3", []),
        ("size: 3, mode: 4", [("wrong-type", "model.mode")]),
        ("sice: 3", [("unknown-argument", "model.sice")]),
        ("mode: slow", [("missing-argument", "model")]),
    ],
)
def test_what_source_does_not_tell_is_checked_live(
    written: str, expected: list[tuple[str, str]], registry: Registry, tmp_path: Path
) -> None:
    config = resolved(tmp_path, TEXT.replace("SPELLING: 3", written))
    static = check_config_tree(config, registry)
    assert not [problem for problem in static.problems if problem.config_path.startswith("model")]
    assert "deep_parts" not in sys.modules
    live = check_arguments_live(config, registry)
    assert [(problem.code, problem.config_path) for problem in live.problems] == expected
    assert (live.checked, live.unread) == (1, ())


def test_what_cannot_be_imported_is_passed_over(registry: Registry, tmp_path: Path) -> None:
    live = check_arguments_live(resolved(tmp_path, TEXT + "loss: {_type_: loss.gone, size: 3}\n"), registry)
    assert live.unread == ("loss.gone",)
