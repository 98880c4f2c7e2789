"""Merging: mappings deeply, lists replace, containers otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.merge import merge
from offline_trainer_core.config.plain import from_plain
from offline_trainer_core.config.tree import ScalarNode, to_plain

TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 3)),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(st.sampled_from("abc"), below, max_size=3)),
    max_leaves=12,
)


def merged(base, over):
    findings = Findings()
    nodes = [from_plain(value, ScalarNode(None), findings) for value in (base, over)]
    result = to_plain(merge(*nodes, findings))
    assert not findings.problems
    return result


def deep_merge(base, over):
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: deep_merge(base.get(key), value) for key, value in over.items()}}
    return over


@given(TREES, TREES)
def test_the_later_layer_wins_deeply(base, over):
    assert merged(base, over) == deep_merge(base, over)


@given(TREES)
def test_merging_a_tree_with_itself_changes_nothing(tree):
    assert merged(tree, tree) == tree


@given(TREES, TREES, TREES)
def test_three_layers_merge_one_after_the_other(a, b, c):
    layers = [{"k": tree} for tree in (a, b, c)]
    from_the_left = merged(merged(layers[0], layers[1]), layers[2])
    assert from_the_left["k"] == deep_merge(deep_merge(a, b), c)
    if not hides(a, b, c):
        assert from_the_left == merged(layers[0], merged(layers[1], layers[2]))


def hides(a, b, c):
    """Whether `b` has something else where `a` and `c` have mappings, so that `c` no longer meets what is in `a`."""
    if all(isinstance(tree, dict) for tree in (a, b, c)):
        return any(hides(a[key], b[key], c[key]) for key in a.keys() & b.keys() & c.keys())
    return isinstance(a, dict) and isinstance(c, dict) and not isinstance(b, dict)


def test_a_layer_that_hides_a_mapping_makes_the_order_of_merging_matter():
    a, b, c = {"k": {"x": 1}}, {"k": None}, {"k": {}}
    assert hides(a, b, c)
    assert merged(merged(a, b), c) == {"k": {}}
    assert merged(a, merged(b, c)) == {"k": {"x": 1}}


@pytest.mark.parametrize(
    ("over", "result"),
    [
        ("l: [9]", [9]),
        ("l: {_merge_: append, _value_: [9]}", [1, 2, 9]),
        ("l: {_merge_: prepend, _value_: [9]}", [9, 1, 2]),
        ("l: {_merge_: replace, _value_: [9]}", [9]),
        ("l: {_merge_: replace, _value_: {a: 1}}", {"a": 1}),
        ("l: null", None),
        ("l: {a: 1}", {"a": 1}),
    ],
)
def test_a_list_merges_as_its_container_says(resolve, over, result):
    assert resolve(f"defaults: [base.yaml]\n{over}", base="l: [1, 2]").plain() == {"l": result}


def test_keyed_merges_the_items_that_match_and_adds_the_others(resolve):
    base = "c: [{id: a, n: 1, deep: {x: 1}}, {id: b, l: [1]}]"
    over = """
defaults: [base.yaml]
c:
  _merge_: keyed
  key: id
  _value_: [{id: new}, {id: b, l: {_merge_: append, _value_: [2]}}, {id: a, deep: {y: 2}}]
"""
    assert resolve(over, base=base).plain("c") == [
        {"id": "a", "n": 1, "deep": {"x": 1, "y": 2}},
        {"id": "b", "l": [1, 2]},
        {"id": "new"},
    ]


def test_keyed_tells_a_number_from_a_word(resolve):
    over = "defaults: [base.yaml]\nc: {_merge_: keyed, key: id, _value_: [{id: '1', x: 1}]}"
    assert len(resolve(over, base="c: [{id: 1}]").plain("c")) == 2


def test_replace_replaces_a_whole_subtree(resolve):
    over = "defaults: [base.yaml]\no: {_merge_: replace, _value_: {_type_: optim.sgd}}"
    assert resolve(over, base="o: {_type_: optim.adamw, betas: [1, 2]}").plain("o") == {"_type_": "optim.sgd"}


def test_null_sets_null_and_does_not_delete(resolve):
    assert resolve("defaults: [base.yaml]\na: null", base="a: {b: 1}").plain() == {"a": None}


def test_a_container_with_nothing_below_it_is_its_value(resolve):
    text = "a: {_merge_: append, _value_: [{b: {_merge_: replace, _value_: {c: 1}}}]}"
    assert resolve(text).plain() == {"a": [{"b": {"c": 1}}]}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ("{_merge_: append}", "needs a '_value_'"),
        ("{_merge_: apend, _value_: []}", "no way to merge"),
        ("{_merge_: [append], _value_: []}", "no way to merge"),
        ("{_merge_: append, _value_: 1}", "needs a list"),
        ("{_merge_: append, _value_: [], key: id}", "'keyed' only"),
        ("{_merge_: keyed, _value_: []}", "needs 'key'"),
        ("{_merge_: append, _value_: [], vlaue: 1}", "'vlaue' cannot stand"),
        ("{_merge_: keyed, key: id, _value_: [{id: 1}, {id: 1}]}", "to differ"),
        ("{_merge_: keyed, key: id, _value_: [{name: 1}]}", "has none"),
        ("{_merge_: keyed, key: id, _value_: [word]}", "has none"),
    ],
)
def test_a_wrong_container_is_a_problem(problems, container, message):
    found = problems(f"defaults: [base.yaml]\nl: {container}", base="l: []")
    assert [p.code for p in found] == ["bad-merge"]
    assert message in found[0].message


def test_appending_to_what_is_no_list_names_both_places(problems):
    (found,) = problems("defaults: [base.yaml]\nl: {_merge_: append, _value_: [1]}", base="\nl: {a: 1}")
    assert found.location.line == 2
    assert "base.yaml:2:4" in found.notes[0]


def test_everything_wrong_with_a_container_is_reported_at_once(problems):
    assert len(problems("l: {_merge_: x, vlaue: 1}\nm: {_merge_: keyed, _value_: []}")) == 3


def test_a_merged_value_remembers_what_it_replaced(resolve):
    config = resolve(
        "defaults: [a.yaml, b.yaml]\nlr: 3\nl: {_merge_: append, _value_: [2]}",
        a="lr: 1\nl: [1]",
        b="defaults: [c.yaml]\nlr: 2",
        c="lr: 1.5",
    )
    assert [(h.value, h.directive) for h in config.find("lr").history] == [(v, "file") for v in (3, 2, 1.5, 1)]
    assert [(h.value, h.directive) for h in config.find("l").history] == [([1, 2], "merge append"), ([1], "file")]


def test_a_container_without_a_value_is_survived_where_the_report_is_full_already(problems) -> None:
    found = problems("".join(f"a{number}: {{_merge_: append}}\n" for number in range(150)))
    assert {problem.code for problem in found} == {"bad-merge", "too-many-problems"}
