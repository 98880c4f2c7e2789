"""Templates: the node wins over its template, and templates may use templates."""

import pytest


def test_a_template_lies_below_the_node_that_names_it(resolve):
    text = "templates: {t: {a: 1, deep: {x: 1, y: 1}, l: [1]}}\nm: {_template_: t, deep: {y: 2}, l: [2], b: null}"
    assert resolve(text).plain() == {"m": {"a": 1, "deep": {"x": 1, "y": 2}, "l": [2], "b": None}}


def test_templates_use_templates_at_any_depth(resolve):
    text = """
templates:
  a: {x: 1, y: 1}
  b: {_template_: a, y: 2, inner: {_template_: a}}
list: [{_template_: b, z: 3}, [{_template_: a}]]
"""
    assert resolve(text).plain("list") == [{"x": 1, "y": 2, "inner": {"x": 1, "y": 1}, "z": 3}, [{"x": 1, "y": 1}]]


def test_a_merge_container_below_a_template_merges_with_what_the_template_has(resolve):
    text = """
templates: {t: {l: [1], m: {a: 1}, c: [{id: 1, x: 1}]}}
n:
  _template_: t
  l: {_merge_: append, _value_: [2]}
  m: {_merge_: replace, _value_: {b: 2}}
  c: {_merge_: keyed, key: id, _value_: [{id: 1, y: 2}]}
  new: {_merge_: append, _value_: [3]}
"""
    assert resolve(text).plain("n") == {"l": [1, 2], "m": {"b": 2}, "c": [{"id": 1, "x": 1, "y": 2}], "new": [3]}


def test_two_files_cannot_both_merge_into_a_template(problems):
    over = "defaults: [base.yaml]\nn: {l: {_merge_: append, _value_: [3]}}"
    base = "templates: {t: {l: [1]}}\nn: {_template_: t, l: {_merge_: append, _value_: [2]}}"
    assert [p.code for p in problems(over, base=base)] == ["bad-merge"]


def test_a_template_may_interpolate(resolve):
    text = "templates: {t: {lr: '${params.lr}'}}\nparams: {lr: 0.1}\nm: {_template_: t}"
    assert resolve(text).plain("m") == {"lr": 0.1}


def test_templates_are_not_there_to_interpolate_from(problems):
    assert [p.code for p in problems("templates: {t: {x: 1}}\na: ${templates.t.x}")] == ["unknown-path"]


def test_a_value_from_a_template_says_so(resolve):
    config = resolve("templates: {t: {x: 1, y: 1}}\nm: {_template_: t, x: 2}")
    assert [(h.value, h.directive) for h in config.find("m.x").history] == [(2, "file"), (1, "template t")]
    assert config.find("m.y").history[0].directive == "template t"
    (note,) = config.problem("any", "any", "m.y").notes
    assert note == f"from template t, used at {config.find('m').key_locations['_template_']}"


@pytest.mark.parametrize(
    ("text", "code", "suggestion"),
    [
        ("templates: {conv: {}}\na: {_template_: cnov}", "unknown-template", "conv"),
        ("a: {_template_: x}", "unknown-template", None),
        ("templates: {t: {}}\na: {_template_: [t]}", "bad-template", None),
        ("templates: {t: {}}\nb: t\na: {_template_: '${b}'}", "bad-template", None),
        ("templates: {t: 1}\na: {_template_: t}", "bad-template", None),
        ("templates: [t]\na: 1", "bad-template", None),
    ],
)
def test_a_wrong_template_is_a_problem(problems, text, code, suggestion):
    (found,) = problems(text)
    assert (found.code, found.suggestion) == (code, suggestion)


def test_a_cycle_of_templates_shows_its_chain(problems):
    (found,) = problems("templates: {a: {_template_: b}, b: {x: {_template_: a}}}\nm: {_template_: a}")
    assert found.code == "cycle"
    assert "a -> b -> a" in found.message
    assert any("exp.yaml:2:17" in note for note in found.notes)


def test_only_templates_that_are_used_are_checked(resolve):
    assert resolve("templates: {bad: {_template_: nowhere}}\na: 1").plain() == {"a": 1}
