"""Reading YAML: what scalars mean, what is refused, and where everything stands."""

import math
from datetime import date

import pytest
import yaml

from offline_trainer_core.config import resolve_config, syntax
from offline_trainer_core.errors import ConfigError


@pytest.fixture(autouse=True, params=["libyaml", "pure Python"])
def loader(request, monkeypatch):
    if request.param == "pure Python":
        monkeypatch.setattr(syntax, "Loader", syntax.PythonLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-1.", -1.0),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("+3", 3),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-05", "2024-01-05"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("!!float 3", 3.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        (".", "."),
        ("=", "="),
        ("$h", "$h"),
        ("$$text", "$$text"),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(resolve, text, value):
    found = resolve(f"key: {text}\n").plain("key")
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_number(resolve):
    assert math.isnan(resolve("key: .nan").plain("key"))


def test_yaml_1_1_would_read_some_of_these_otherwise(resolve):
    text = "a: on\nb: 2024-01-05\nc: 012\nd: 1e-3\n"
    assert yaml.safe_load(text) == {"a": True, "b": date(2024, 1, 5), "c": 10, "d": "1e-3"}
    assert resolve(text).plain() == {"a": "on", "b": "2024-01-05", "c": 12, "d": 0.001}


def test_every_value_and_key_knows_its_place(resolve):
    config = resolve('a:\n  b: [1, "two"]\n  on: yes\n')
    assert [config.find(path).location[1:] for path in ("a.b", "a.b[0]", "a.b[1]", "a.on")] == [
        (2, 6),
        (2, 7),
        (2, 10),
        (3, 7),
    ]
    assert config.find("a").key_locations["on"][1:] == (3, 3)
    assert config.find("a.b[1]").width == len('"two"')


def test_columns_count_characters_not_bytes(resolve):
    assert resolve('a: {"ä€😀": 1}\n').find("a").items["ä€😀"].location.column == 12


def test_all_duplicate_keys_are_reported_with_both_places(problems):
    found = problems("a: 1\nb: {x: 1, x: 2}\na: 2\na: 3\n")
    assert [(p.code, p.location.line) for p in found] == [("duplicate-key", n) for n in (2, 3, 4)]
    assert "exp.yaml:1:1" in found[1].notes[0]


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("1: a", "bad-key", (1, 1)),
        ("true: a", "bad-key", (1, 1)),
        ("null: a", "bad-key", (1, 1)),
        ("a: 1\n[b]: 2", "bad-key", (2, 1)),
        ("a: &x {b: 1}\nc: {<<: *x}", "merge-key", (2, 5)),
        ("a: !!python/object/apply:os.system [echo]", "unknown-tag", (1, 4)),
        ("a: !mine 1", "unknown-tag", (1, 4)),
        ("!mine {a: 1}", "unknown-tag", (1, 1)),
        ("!mine a: 1", "unknown-tag", (1, 1)),
        ("a: !!int x", "bad-tag", (1, 4)),
        ("a: 1\n--- \nb: 2", "multiple-documents", (2, 1)),
        ("", "empty-file", (1, 1)),
        ("# nothing\n", "empty-file", (1, 1)),
        ("- a\n", "not-a-mapping", (1, 1)),
        ("word", "not-a-mapping", (1, 1)),
        ("a: 1\n\tb: 2", "yaml-syntax", None),
        ("a: [1, 2", "yaml-syntax", None),
        ("a: *nowhere", "yaml-syntax", (1, 4)),
        ("a: \0", "bad-character", (1, 4)),
        ("a: 1\nb: \x07", "bad-character", (2, 4)),
        (b"a: 1\nb: caf\xe9", "bad-encoding", (2, 7)),
        ("a: 1".encode("utf-16"), "bad-encoding", (1, 1)),
        ("a: &x [*x]", "cycle", (1, 4)),
        ("a: " + "9" * 1001, "too-large", (1, 4)),
        ("a: " + "x" * (256 * 1024 + 1), "too-large", (1, 4)),
        ("#" * (1024 * 1024 + 1), "too-large", None),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_refused_is_one_located_problem(problems, text, code, place):
    found = problems(text)
    assert [p.code for p in found] == [code]
    if place is not None:
        assert found[0].location[1:] == place


def test_a_tab_gets_advice(problems):
    assert "spaces" in problems("a:\n\tb: 1\n")[0].fix


def test_an_expression_in_flow_style_gets_advice(problems):
    assert problems("a: [${b}]\nb: 1")[0].fix == '"${b}"'


def test_a_byte_order_mark_is_no_part_of_the_first_key(resolve):
    assert resolve(b"\xef\xbb\xbfa: 1").plain() == {"a": 1}


def test_aliases_share_values(resolve):
    assert resolve("a: &x {k: [1]}\nb: *x\nc: [*x, *x]\n").plain("c[1].k[0]") == 1


def test_ten_thousand_problems_are_not_all_printed(problems):
    found = problems("{" + "a: 1, " * 10_000 + "}")
    assert len(found) == 101
    assert found[-1].code == "too-many-problems"


def test_depth_may_be_one_hundred_and_no_more(write):
    def nested(depth: int) -> str:
        return "a: " + "[" * depth + "]" * depth

    assert resolve_config(write(nested(99))).plain("a")
    for depth in (100, 300, 2000):
        with pytest.raises(ConfigError, match="100 levels deep") as caught:
            resolve_config(write(nested(depth)))
        assert caught.value.problems[0].location.line == 1
