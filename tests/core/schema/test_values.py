"""Annotations become schemas that let through what fits them, and what is settled later."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft7Validator

from offline_trainer_core.schema.language import definitions_of_the_language
from offline_trainer_core.schema.values import default_of, plain_schema, value_schema
from offline_trainer_core.signature import Parameter

DEFERRED = ["${params.x}", "a-${params.x}", {"_merge_": "replace", "_value_": 1}]
SPEC = {"_type_": "nn.ReLU"}


def takes(schema: dict[str, Any], value: Any) -> bool:
    definitions = {**definitions_of_the_language(), "spec": {}}
    return Draft7Validator({**schema, "definitions": definitions}).is_valid(value)


@pytest.mark.parametrize(
    ("annotation", "right", "wrong"),
    [
        ("int", [3, -1], ["3", 0.5, True, None, [3], {}, SPEC]),
        ("float", [3, 0.5], ["3", None, []]),
        ("bool", [True, False], ["yes", 1, None]),
        ("str", ["a", ""], [3, None, ["a"]]),
        ("int | None", [3, None], ["3"]),
        ("Optional[float]", [0.5, None], ["x"]),
        ("Literal['mean', 'sum']", ["mean"], ["man", 3]),
        ("Literal['auto'] | int", ["auto", 3], ["atuo", 0.5]),
        ("list[int]", [[1, 2], []], [["a"], 3, {"a": 1}]),
        ("tuple[int, int]", [[1, 2]], [[1], 3]),
        ("tuple[int, ...]", [[1], [1, 2]], [["a"]]),
        ("dict[str, float]", [{"a": 1}], [{"a": "b"}, [1]]),
        ("int | list[int]", [3, [3]], ["3", ["3"]]),
        ("list[int] | list[str]", [[1], ["a"]], [[0.5], 3]),
        ("SomethingElse", [3, "a", [1], {"a": 1}, None], []),
    ],
)
def test_an_annotation_lets_through_what_fits(annotation: str, right: list[Any], wrong: list[Any]) -> None:
    schema = plain_schema(annotation)
    assert [value for value in [*right, *DEFERRED] if not takes(schema, value)] == []
    assert [value for value in wrong if takes(schema, value)] == []


def test_inside_collections_values_are_settled_later_too() -> None:
    assert takes(plain_schema("list[int]"), [1, "${params.x}"])
    assert takes(plain_schema("dict[str, float]"), {"a": "${params.x}"})


def test_a_callable_takes_a_spec_and_no_plain_value() -> None:
    schema = value_schema(Parameter("fn", annotation="str | Callable[[int], int]"))
    assert takes(schema, SPEC)
    assert takes(schema, "relu")
    assert not takes(schema, 3)


def test_null_is_a_dimension_to_be_inferred_where_modules_are_built() -> None:
    parameter = Parameter("dims", annotation="list[int]")
    assert takes(value_schema(parameter, null_is_lazy=True), [None, 64])
    assert not takes(value_schema(parameter), [None, 64])


def test_a_default_fits_whatever_the_annotation_says() -> None:
    parameter = Parameter("size", annotation="int", has_default=True, default="None")
    assert takes(value_schema(parameter), None)
    assert not takes(value_schema(Parameter("size", annotation="int")), None)


def test_bounds_are_kept() -> None:
    parameter = Parameter("rate", annotation="Annotated[float, Interval(gt=0, le=1)]")
    assert [value for value in (0, 0.5, 1, 2) if takes(value_schema(parameter), value)] == [0.5, 1]


@pytest.mark.parametrize(
    ("default", "found"),
    [
        ("3", [3]),
        ("None", [None]),
        ("(1, 2)", [[1, 2]]),
        ("'a'", ["a"]),
        ("nn.ReLU", []),
        ("float('inf')", []),
        ("", []),
    ],
)
def test_a_default_is_told_as_yaml_would_spell_it(default: str, found: list[Any]) -> None:
    assert default_of(Parameter("x", default=default)) == found
