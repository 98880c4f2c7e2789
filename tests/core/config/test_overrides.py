"""Overrides: `path=value`, `+path=value`, `~path`."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer_core.config import resolve_config
from offline_trainer_core.config.dump import to_yaml

BASE = {"trainer": {"max_epochs": 3, "lr": 0.1}, "callbacks": [{"_type_": "cb.a", "n": 1}, "b"], "scheduler": None}


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("trainer.max_epochs=5", "trainer.max_epochs", 5),
        ("callbacks[0].n=1e-3", "callbacks[0].n", 0.001),
        ("callbacks[-1]=on", "callbacks[1]", "on"),
        ("trainer.lr={a: [1, x]}", "trainer.lr", {"a": [1, "x"]}),
        ("trainer.lr=", "trainer.lr", None),
        ("trainer.lr=a=b=c", "trainer.lr", "a=b=c"),
        ("trainer.lr='3'", "trainer.lr", "3"),
        ("trainer.lr=${trainer.max_epochs}", "trainer.lr", 3),
        ("trainer={lr: 1}", "trainer", {"lr": 1}),
        ("+trainer.new.deep=1", "trainer.new.deep", 1),
        ("+trainer.lr=2", "trainer.lr", 2),
        ("+scheduler._type_=s", "scheduler", {"_type_": "s"}),
        ("+callbacks=c", "callbacks[2]", "c"),
        ("+callbacks=[c, d]", "callbacks[3]", "d"),
        ("+imports=extensions.x", "imports", ["extensions.x"]),
        ("+imports=[a, b]", "imports", ["a", "b"]),
        ("+callbacks[0].new=1", "callbacks[0].new", 1),
        ('+trainer["a.b"]=1', "trainer", {"max_epochs": 3, "lr": 0.1, "a.b": 1}),
        ("~callbacks[0]", "callbacks", ["b"]),
        ("~trainer.lr", "trainer", {"max_epochs": 3}),
        ("callbacks={_merge_: prepend, _value_: [z]}", "callbacks[0]", "z"),
        ("trainer={lr: {_merge_: append, _value_: [z]}}", "trainer.lr", ["z"]),
    ],
)
def test_an_override_does_what_it_says(override, path, value):
    assert resolve_config(BASE, [override]).plain(path) == value


def test_overrides_apply_from_left_to_right():
    config = resolve_config(BASE, ["+a.b=1", "a.b=2", "+a.c=3", "~a.b"])
    assert config.plain("a") == {"c": 3}


def test_overrides_come_before_templates_and_interpolation(resolve):
    text = "templates: {t: {x: 1}}\na: {_template_: t, y: '${b}'}\nb: 1"
    assert resolve(text, "b=2", "templates.t.x=3").plain("a") == {"x": 3, "y": 2}


@pytest.mark.parametrize(
    ("override", "code", "suggestion"),
    [
        ("trainer.max_epohcs=1", "unknown-path", "trainer.max_epochs"),
        ("trainr.lr=1", "unknown-path", "trainer"),
        ("max_epochs=1", "unknown-path", "trainer.max_epochs"),
        ("callbacks.0=1", "unknown-path", "callbacks[0]"),
        ("callbacks[2]=1", "unknown-path", None),
        ("+callbacks[2]=1", "unknown-path", None),
        ("trainer.lr.x=1", "unknown-path", None),
        ("+trainer.lr.x=1", "unknown-path", None),
        ("~trainer.momentum", "unknown-path", None),
        ("~trainer.lr=1", "bad-override", None),
        ("trainer.lr", "bad-override", None),
        ("=1", "bad-override", None),
        ("a..b=1", "bad-override", None),
        ("", "bad-override", None),
        ("trainer.lr=[", "yaml-syntax", None),
        ("trainer.lr={a: 1, a: 2}", "duplicate-key", None),
        ("trainer.lr=\0", "bad-character", None),
        ("+defaults=[x.yaml]", "bad-defaults", None),
    ],
)
def test_a_wrong_override_is_a_problem(problems, override, code, suggestion):
    (found,) = problems(to_yaml(BASE), override)
    assert (found.code, found.suggestion) == (code, suggestion)
    assert found.location.file == "<override 1>"


def test_all_wrong_overrides_are_reported_at_once(problems):
    assert len(problems(to_yaml(BASE), "a=1", "trainer.lr=2", "b", "~c")) == 3


def test_the_caret_stands_under_the_value(problems):
    (found,) = problems(to_yaml(BASE), "trainer.max_epochs=${nowhere}")
    assert found.location == ("<override 1>", 1, 22)
    assert found.source_line[found.location.column - 1 :] == "nowhere}"


def test_an_overridden_value_remembers_the_file(resolve):
    history = resolve("a: {b: 1}", "a.b=2", "a.b=3").find("a.b").history
    assert [(h.value, h.directive, h.location.file[:9]) for h in history[:2]] == [
        (3, "override", "<override"),
        (2, "override", "<override"),
    ]
    assert (history[2].value, history[2].directive) == (1, "file")


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text("ab :=#[],'\"$-", max_size=8)
)
LEAVES = ("a", "b")


@given(
    st.dictionaries(st.sampled_from("xyz"), st.fixed_dictionaries(dict.fromkeys(LEAVES, VALUES)), min_size=1), VALUES
)
def test_an_override_equals_editing_the_file(tree, value):
    key = min(tree)
    edited = {**tree, key: {**tree[key], "a": value}}
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    assert resolve_config(tree, [f"{key}.a={text}"], env={}).plain() == edited


def test_overrides_are_sources_and_no_files(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("lr: 1\n", encoding="utf-8")
    config = resolve_config(file, ["lr=2"])
    assert config.files == {str(file): "lr: 1\n"}
    assert list(config.sources) == [str(file), "<override 1>"]
