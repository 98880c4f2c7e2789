"""Two configurations differ in what they say, not in how they say it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer_core.config import Config, resolve_config, split_path
from offline_trainer_core.explain import difference
from offline_trainer_core.explain.difference import Change

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.floats(-2, 2, width=16), st.text("abc", max_size=3)
)
KEYS = st.sampled_from(["a", "b", "c", "name", "_type_"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
TREES = st.dictionaries(KEYS, VALUES, max_size=4)
MIRROR = {"added": "removed", "removed": "added", "changed": "changed"}


def of(tree: dict[str, Any]) -> Config:
    return resolve_config(tree)


def told(changes: tuple[Change, ...]) -> list[tuple[Any, ...]]:
    """Return kind, path and both values of every change."""
    return [
        (change.kind, change.path, change.before and change.before.value, change.after and change.after.value)
        for change in changes
    ]


def lines(a: str, b: str, resolve: Any, *overrides: str) -> list[tuple[Any, ...]]:
    return told(difference(resolve(a), resolve(b, *overrides)))


@given(TREES)
def test_nothing_differs_from_itself(tree) -> None:
    assert difference(of(tree), of(copy.deepcopy(tree))) == ()


@given(TREES, TREES)
def test_the_other_way_around_everything_is_mirrored(a, b) -> None:
    there = [(MIRROR[c.kind], c.after, c.before) for c in difference(of(a), of(b)) if c.kind != "moved"]
    back = [(c.kind, c.before, c.after) for c in difference(of(b), of(a)) if c.kind != "moved"]
    assert sorted(map(repr, there)) == sorted(map(repr, back))


@given(TREES, TREES)
def test_trees_that_differ_have_a_difference(a, b) -> None:
    assert bool(difference(of(a), of(b))) == (normal(a) != normal(b))


@given(TREES, st.data())
def test_a_change_is_found_at_its_path_and_nowhere_else(tree, data) -> None:
    config = of(tree)
    leaves = [path for path, node in config.walk() if path and not hasattr(node, "items")]
    if not leaves:
        return
    path = data.draw(st.sampled_from(leaves))
    changed = copy.deepcopy(tree)
    *parents, last = split_path(path)
    holder: Any = changed
    for key in parents:
        holder = holder[key]
    holder[last] = "something else"
    found = [change.path for change in difference(config, of(changed))]
    if any(isinstance(key, int) for key in split_path(path)):
        outermost = path.partition("[")[0]  # in a list, an item whose name or type changed is another item
        assert found
        assert all(place.startswith(outermost) for place in found)
    else:
        assert found == [path]


def normal(value: Any) -> Any:
    """Return `value` so that `==` tells booleans from numbers."""
    if isinstance(value, dict):
        return {key: normal(below) for key, below in value.items()}
    if isinstance(value, list):
        return [normal(item) for item in value]
    return (isinstance(value, bool), value)


def test_the_way_to_a_value_makes_no_difference(resolve) -> None:
    plain = resolve("a: {n: 1.0, text: yes}\nlist:\n  - 1\n  - {x: 2}\n")
    text = "defaults: [base.yaml]\ntemplates: {t: {text: 'yes'}}\na: {_template_: t}\nlist: [1, {x: '${k}'}]\nk: 2"
    other = resolve(text, "a.n=1", base="a: {n: 7}")
    assert told(difference(plain, other)) == [("added", "k", None, 2)]


def test_a_missing_key_is_one_change_however_much_is_below_it(resolve) -> None:
    assert lines("a: 1\nb: {c: {d: [1, 2]}}", "a: 1", resolve) == [("removed", "b", {"c": {"d": [1, 2]}}, None)]


def test_null_is_a_value(resolve) -> None:
    assert lines("a: {}", "a: {b: null}", resolve) == [("added", "a.b", None, None)]


def test_a_list_of_single_values_is_one_value(resolve) -> None:
    assert lines("dims: [1, 2, 3]", "dims: [1, 9, 2, 3]", resolve) == [("changed", "dims", [1, 2, 3], [1, 9, 2, 3])]


CALLBACKS = "callbacks: [{_type_: cb.a, n: 1}, {_type_: cb.b}, {_type_: cb.c}]"


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ("[{_type_: cb.z}, {_type_: cb.a, n: 1}, {_type_: cb.b}, {_type_: cb.c}]", [("added", "callbacks[0]")]),
        ("[{_type_: cb.a, n: 1}, {_type_: cb.c}]", [("removed", "callbacks[1]")]),
        ("[{_type_: cb.b}, {_type_: cb.c}, {_type_: cb.a, n: 1}]", [("moved", "callbacks[2]")]),
        ("[{_type_: cb.z}, {_type_: cb.b}, {_type_: cb.a, n: 2}]", None),
        ("[{_type_: cb.a, n: 2}, {_type_: cb.b}, {_type_: cb.c}]", [("changed", "callbacks[0].n")]),
    ],
    ids=["inserted", "deleted", "moved", "all at once", "changed"],
)
def test_items_of_a_list_are_recognized(other, expected, resolve) -> None:
    found = [(kind, path) for kind, path, *_ in lines(CALLBACKS, f"callbacks: {other}", resolve)]
    if expected is None:
        expected = [("added", "callbacks[0]"), ("moved", "callbacks[2]"), ("changed", "callbacks[2].n")]
        expected += [("removed", "callbacks[2]")]
    assert found == expected


def test_items_of_one_type_are_told_apart_by_their_names(resolve) -> None:
    a = "metrics: [{_type_: m, name: x, k: 1}, {_type_: m, name: y, k: 1}]"
    b = "metrics: [{_type_: m, name: w, k: 1}, {_type_: m, name: x, k: 2}, {_type_: m, name: y, k: 1}]"
    assert lines(a, b, resolve) == [
        ("added", "metrics[0]", None, {"_type_": "m", "name": "w", "k": 1}),
        ("changed", "metrics[1].k", 1, 2),
    ]


def test_another_component_is_a_change_of_its_type_and_its_arguments(resolve) -> None:
    found = lines("loss: {_type_: loss.a, n: 1, p: 2}", "loss: {_type_: loss.b, n: 1, q: 3}", resolve)
    assert found == [
        ("changed", "loss._type_", "loss.a", "loss.b"),
        ("added", "loss.q", None, 3),
        ("removed", "loss.p", 2, None),
    ]


def test_each_side_says_where_its_value_was_set(resolve, tmp_path) -> None:
    (change,) = difference(resolve("a:\n  b: 1"), resolve("a:\n  b: 1", "a.b=2"))
    assert change.before is not None
    assert change.after is not None
    assert (change.before.location, change.before.directive) == ((str(tmp_path / "exp.yaml"), 2, 6), "file")
    assert (change.after.location, change.after.directive) == (("<override 1>", 1, 5), "override")


def test_a_changed_secret_is_told_but_not_shown(resolve) -> None:
    assert lines("password: one\nn: 1", "password: two\nn: 1", resolve) == [("changed", "password", "***", "***")]
    assert lines("password: one", "password: one", resolve) == []


def test_a_secret_that_a_record_masked_is_no_difference(resolve) -> None:
    assert lines("password: one\nn: 1", "password: '***'\nn: 2", resolve) == [("changed", "n", 1, 2)]
    a, b = resolve("user: ${env:HF_TOKEN}", env={"HF_TOKEN": "s3"}), resolve("user: '***'")
    assert difference(a, b) == difference(b, a) == ()
    assert difference(a, resolve("user: someone")) != ()
