"""Resolution goes on after a problem: all are reported, and what one leaves open is unknown, which fits everywhere."""

import copy
import pickle

import pytest

from offline_trainer_core.config import has_unknown, is_unknown, resolve_config, try_resolve
from offline_trainer_core.errors import UNKNOWN, ConfigError

WRONG = """\
templates: {t: {x: 1}}
a: ${env:NOWHERE}
b: "${a} and ${env:ELSEWHERE}"
c: ${a}
d: {_template_: u, y: '${e}'}
e: {k: 1, k: 2}
f: {_merge_: apend, _value_: [1]}
g: ${f[3].z}
h: fine
"""


@pytest.fixture
def found(write):
    return try_resolve(write(WRONG), ["h.i=1", "j=", "+k:"], env={})


def test_every_step_reports_all_that_is_wrong_in_it(found):
    assert [(problem.location.line, problem.code) for problem in found.problems] == [
        (2, "missing-environment-variable"),
        (3, "missing-environment-variable"),
        (5, "unknown-template"),
        (6, "duplicate-key"),
        (7, "bad-merge"),
        (1, "unknown-path"),
        (1, "unknown-path"),
        (1, "bad-override"),
    ]


def test_what_is_open_is_unknown_and_the_rest_is_known(found):
    plain = found.config.plain()
    assert {key for key, value in plain.items() if value is UNKNOWN} == {"a", "b", "c", "f", "g", "k"}
    assert plain["h"] == "fine"
    assert plain["d"]["y"] == {"k": 1}
    assert not found.config.find("d").is_complete
    assert has_unknown(found.config.find("d"))
    assert is_unknown(found.config.find("a"))
    assert not has_unknown(found.config.find("h"))


def test_resolve_config_raises_the_same_problems(write, found):
    with pytest.raises(ConfigError) as caught:
        resolve_config(write(WRONG), ["h.i=1", "j=", "+k:"], env={})
    assert caught.value.problems == found.problems


def test_a_right_configuration_has_nothing_unknown(write):
    config, problems = try_resolve(write("a: 1\nb: ${a}\n"), ["a=2"])
    assert problems == ()
    assert config.plain() == {"a": 2, "b": 2}
    assert not has_unknown(config.root)


def test_without_one_of_its_files_there_is_no_configuration(write):
    config, problems = try_resolve(write("defaults: [none.yaml]\na: ${env:NOWHERE}\nb: ${c}\n"), ["d=1"], env={})
    assert config is None
    assert [problem.code for problem in problems] == ["missing-file", "missing-environment-variable"]


def test_files_come_in_the_order_in_which_they_were_composed_and_overrides_last(write):
    path = write("defaults: [z.yaml, b.yaml]\na: 1\na: 2\n", z="a: 1\na: 2\n", b="a: 1\na: 2\n")
    _, problems = try_resolve(path, [f"x{number}=1" for number in range(11)])
    names = [problem.location.file.rpartition("/")[2] for problem in problems]
    assert names == ["exp.yaml", "z.yaml", "b.yaml", *(f"<override {number}>" for number in range(1, 12))]


def test_there_is_one_unknown():
    assert copy.deepcopy({"a": UNKNOWN})["a"] is UNKNOWN
    assert pickle.loads(pickle.dumps(UNKNOWN)) is UNKNOWN  # noqa: S301


@pytest.mark.parametrize(
    ("base", "over"),
    [
        ("l: {_merge_: apend, _value_: [1]}", "l: {x: 1}"),
        ("l: {_merge_: apend, _value_: [1]}", "l: {_merge_: append, _value_: [2]}"),
        ("l: {x: 1}", "l: {_merge_: apend, _value_: [1]}"),
        ("l: [1]", "l: {_merge_: append, _value_: 3}"),
    ],
)
def test_what_merges_with_an_unknown_value_is_not_reported_again(write, base, over):
    config, problems = try_resolve(write(f"defaults: [base.yaml]\n{over}\nm: '${{l.y}}'", base=base))
    assert [problem.code for problem in problems] == ["bad-merge"]
    assert is_unknown(config.find("m"))
