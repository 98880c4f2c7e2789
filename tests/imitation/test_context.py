"""What a context says, and what can be wrong with it, without torch and without models."""

from __future__ import annotations

from typing import Any

import pytest

from offline_trainer_core import DataError
from ot_imitation.context import Context
from ot_imitation.mistakes import find_mistakes

CONTEXT = {
    "state": "observation.state",
    "vision": {"model": "camera", "inputs": {"image": "observation.image"}},
    "tokens": {"model": "encoder", "inputs": {"state": "$state", "vision": "$vision.features"}},
    "features": "$vision.features",
}


def call(model: str, **inputs: Any) -> Any:
    return {"features": (model, inputs)} if model == "camera" else (model, inputs)


NESTED = {"observation": {"state": "s", "image": "i"}, "action": "a"}


def test_entries_are_fields_and_outputs_of_components_in_order() -> None:
    seen = ("camera", {"image": "i"})
    assert Context(CONTEXT).compute("algo.x", NESTED, call) == {
        "state": "s",
        "vision": {"features": seen},
        "tokens": ("encoder", {"state": "s", "vision": seen}),
        "features": seen,
    }


def test_a_flat_observation_is_read_as_a_nested_batch_is() -> None:
    flat = {"observation.state": "s", "observation.image": "i"}
    assert Context(CONTEXT).compute("algo.x", flat, call) == Context(CONTEXT).compute("algo.x", NESTED, call)


def test_every_component_is_called_once_for_an_action() -> None:
    called = []
    Context(CONTEXT).compute("algo.x", NESTED, lambda model, **inputs: called.append(model) or {"features": model})
    assert called == ["camera", "encoder"]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"observation": {"image": "i"}}, r"^algo.x: context.state: no 'observation.state': observation has image$"),
        ({"observation": {"state": "s"}}, r"context.vision.inputs.image: no 'observation.image'"),
    ],
)
def test_a_field_that_the_batch_lacks_is_named(batch: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Context(CONTEXT).compute("algo.x", batch, call)


def test_a_part_that_an_output_lacks_is_named() -> None:
    with pytest.raises(DataError, match=r"context.tokens.inputs.vision: no 'vision.features': vision has tokens"):
        Context(CONTEXT).compute("algo.x", NESTED, lambda model, **inputs: {"tokens": model})


def test_a_context_without_mistakes_has_none() -> None:
    assert find_mistakes(CONTEXT) == []


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ("state", ("context", "wrong-type", None)),
        ({"a-b": "state"}, ("context.a-b", "bad-name", None)),
        ({"a": 3}, ("context.a", "wrong-type", None)),
        ({"a": {"model": "m"}}, ("context.a", "missing-key", None)),
        ({"a": {"inputs": {}}}, ("context.a", "missing-key", None)),
        ({"a": {"model": "m", "inputs": {}, "output": "x"}}, ("context.a.output", "unknown-key", None)),
        ({"a": {"model": 3, "inputs": {}}}, ("context.a.model", "wrong-type", None)),
        ({"a": {"model": "m", "inputs": ["x"]}}, ("context.a.inputs", "wrong-type", None)),
        ({"a": {"model": "m", "inputs": {"x": 3}}}, ("context.a.inputs.x", "wrong-type", None)),
        ({"a": {"model": "m", "inputs": {"x": "$b"}}, "b": "y"}, ("context.a.inputs.x", "forward-reference", None)),
        ({"a": {"model": "m", "inputs": {"x": "$a"}}}, ("context.a.inputs.x", "forward-reference", None)),
        ({"eyes": "y", "a": {"model": "m", "inputs": {"x": "$eye"}}}, ("context.a.inputs.x", "unknown-value", "$eyes")),
        ({"a": "$b.c"}, ("context.a", "unknown-value", None)),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(definition: Any, expected: tuple[str, str, str | None]) -> None:
    ((where, code, _, suggestion),) = find_mistakes(definition)
    assert (where, code, suggestion) == expected


def test_all_mistakes_are_told_at_once() -> None:
    assert len(find_mistakes({"a": "$b", "c": 3, "d": {"model": 1}})) == 4
