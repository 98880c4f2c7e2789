"""What the real language server offers while a configuration is typed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

needs_torch = pytest.mark.skipif(
    find_spec("torch") is None, reason="the arguments of torch's classes are in its source"
)


def test_behind_type_stand_the_components_of_the_section_and_no_others(editor: Any) -> None:
    offered = editor.completions("trainer:\n  _type_: |\n")
    assert "trainer.default" in offered
    assert {name.partition(".")[0] for name in offered} == {"trainer"}
    assert offered["trainer.default"].startswith("Trains until")
    assert "ot-builtins" in offered["trainer.default"]


def test_in_a_list_too(editor: Any) -> None:
    offered = editor.completions("callbacks:\n  - _type_: |\n")
    assert {name.partition(".")[0] for name in offered} == {"cb"}


def test_beside_type_stand_the_arguments_of_that_component(editor: Any) -> None:
    offered = editor.completions("trainer:\n  _type_: trainer.default\n  |\n")
    assert {"max_epochs", "max_steps", "on_nonfinite"} <= offered.keys()
    assert "Optimizer steps." in offered["max_steps"]
    assert "decay" not in offered
    assert "decay" in editor.completions("callbacks:\n  - _type_: cb.ema\n    |\n")


def test_what_is_given_already_is_not_offered_again(editor: Any) -> None:
    offered = editor.completions("trainer:\n  _type_: trainer.default\n  max_steps: 3\n  |\n")
    assert "max_epochs" in offered
    assert "max_steps" not in offered


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("trainer:\n  _type_: trainer.default\n  on_nonfinite: |\n", {"raise", "skip", "ignore"}),
        ("run:\n  precision: |\n", {"fp32", "bf16-mixed", "fp16-mixed"}),
        ("run:\n  deterministic: |\n", {"true", "false"}),
        ("run:\n  strategy: |\n", {"ddp", "single"}),
        ("callbacks:\n  _merge_: |\n", {"append", "keyed", "prepend", "replace"}),
        ("model:\n  |\n", {"sequential", "graph", "config_path", "components"}),
        ("model:\n  graph:\n    |\n", {"inputs", "modules", "steps", "outputs"}),
        ("model:\n  graph:\n    steps:\n      - call: |\n", {"op:add", "op:cat"}),
        ("optimizer:\n  _type_: optim_factory.torch\n  type: |\n", {"AdamW", "SGD"}),
        ("|\n", {"run", "model", "data", "defaults", "templates", "params"}),
    ],
)
def test_values_and_keys_of_the_language_are_offered(text: str, offered: set[str], editor: Any) -> None:
    assert offered <= editor.completions(text).keys()


@needs_torch
def test_kwargs_are_those_of_the_class_that_type_names(editor: Any) -> None:
    text = "optimizer:\n  _type_: optim_factory.torch\n  type: {}\n  kwargs:\n    |\n"
    assert "weight_decay" in editor.completions(text.format("AdamW"))
    assert "momentum" not in editor.completions(text.format("AdamW"))
    assert "momentum" in editor.completions(text.format("SGD"))


@needs_torch
def test_specs_inside_arguments_are_completed_as_well(editor: Any) -> None:
    text = "loss:\n  _type_: loss.torch\n  fn:\n    _type_: nn.HuberLoss\n    |\n"
    assert "delta" in editor.completions(text)


def test_hovering_tells_what_an_argument_is_for(editor: Any) -> None:
    shown = editor.hover("trainer:\n  _type_: trainer.default\n  max_st|eps: 3\n")
    assert "Optimizer steps." in shown
    assert "max_steps:" in shown
    assert "trainer.default" in shown


def test_hovering_tells_what_a_component_and_a_section_are_for(editor: Any) -> None:
    shown = editor.hover("trainer:\n  _type_: trainer.de|fault\n")
    assert "Trains until" in shown
    assert "overfit" not in shown
    assert "seed" in editor.hover("ru|n: {name: a}\n").lower()


def test_hovering_over_what_nobody_knows_shows_nothing(editor: Any) -> None:
    assert editor.hover("params:\n  width|s: [3]\n") == ""
