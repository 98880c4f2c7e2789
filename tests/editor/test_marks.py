"""What the real language server marks: slips where they stand, and nothing that is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

RIGHT = """\
defaults: [base.yaml, {optimizer: adamw.yaml}]
templates:
  fast: {max_steps: 10}
params: {steps: 3}
x-mine: [1, 2]
trainer:
  _template_: fast
  _type_: trainer.default
  log_every_n_steps: ${params.steps}
callbacks:
  _merge_: append
  _value_:
    - {_type_: cb.ema, decay: "${env:float:DECAY,0.99}"}
optimizer:
  kwargs: {_merge_: replace, _value_: {lr: 1e-3}}
"""


@pytest.mark.parametrize("name", ["pendulum/bc.yaml", "pendulum/td3_bc.yaml", "g1/bc.yaml", "pusht/bc.yaml"])
def test_an_example_has_no_mark(name: str, editor: Any) -> None:
    assert editor.marks((EXAMPLES / name).read_text(encoding="utf-8")) == []


def test_what_other_files_settle_has_no_mark(editor: Any) -> None:
    assert editor.marks(RIGHT) == []


@pytest.mark.parametrize(
    ("right", "wrong", "mark"),
    [
        ("templates:", "template:", (2, 1, "template")),
        ("max_steps", "max_step", None),  # a template has no `_type_` of its own
        ("log_every_n_steps", "log_evry_n_steps", (9, 3, "log_evry_n_steps")),
        ("trainer.default", "cb.ema", (8, 11, "cb.ema")),
        ("${params.steps}", "often", (9, 22, "often")),
        ("_merge_: append", "_merge_: add", (11, 12, "add")),
        ("decay", "decya", (13, 24, "decya")),
    ],
)
def test_a_slip_in_it_is_marked(right: str, wrong: str, mark: tuple[int, int, str] | None, editor: Any) -> None:
    assert editor.marks(RIGHT.replace(right, wrong, 1)) == ([mark] if mark else [])


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("trainr:\n  _type_: trainer.default\n", (1, 1, "trainr")),
        ("trainer:\n  _type_: trainer.defalt\n", (2, 11, "trainer.defalt")),
        ("trainer:\n  _type_: trainer.default\n  max_steps: many\n", (3, 14, "many")),
        ("trainer:\n  _type_: trainer.default\n  max_steps: 0\n", (3, 14, "0")),
        ("trainer:\n  _tpye_: trainer.default\n", (2, 3, "_tpye_")),
        ("run:\n  precision: fp8\n", (2, 14, "fp8")),
        ("run:\n  strategy: {_type_: strategy.ddp, bucket_acp_mb: 3}\n", (2, 36, "bucket_acp_mb")),
        ("loss: {_type_: loss.torch, fn: {_type_: nn.HuberLosss}}\n", (1, 41, "nn.HuberLosss")),
        ("optimizer: {_type_: optim_factory.torch, type: AdamWW}\n", (1, 48, "AdamWW")),
        ("model: {graph: {steps: [{call: op:ad, out: x}]}}\n", (1, 32, "op:ad")),
        ("model: {sequential: {layesr: []}}\n", (1, 22, "layesr")),
        ("run: {name: a, out_dir: b}\nmodel: {_type_: block.mlp}\n", (2, 1, "model")),
    ],
)
def test_a_slip_is_marked_where_it_stands(text: str, mark: tuple[int, int, str], editor: Any) -> None:
    assert editor.marks(text) == [mark]


def test_a_mark_says_what_may_stand_there(editor: Any) -> None:
    (message,) = editor.messages("trainer:\n  _type_: trainer.default\n  on_nonfinite: rase\n")
    assert all(choice in message for choice in ("raise", "skip", "ignore"))
    (message,) = editor.messages("trainer:\n  _type_: trainer.defalt\n")
    assert "ot check" in message


def test_local_code_is_left_to_the_check(editor: Any) -> None:
    text = "loss: {_type_: loss.mine, scale: 3}\n"
    assert editor.marks(f"imports: [mine]\n{text}") == []
    assert editor.marks(text) == [(1, 16, "loss.mine")]


def test_without_the_modeline_nothing_is_marked(editor: Any) -> None:
    assert editor.unaware("trainr: 3\n") == []
