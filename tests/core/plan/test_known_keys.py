"""An override that names nothing is told what it was meant to be, and exactly what to type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import try_resolve
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan import check_config_tree

EXPERIMENT = """
schema_version: 1
run: {name: test, out_dir: runs}
model: {sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 2]}]}}
data: {_type_: data.tensors, batch_size: 8}
io: {_type_: io.mapping, model_kwargs: {x: obs}, targets: {y: action}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}
trainer: {_type_: trainer.default, max_epochs: 3}
callbacks: [{_type_: cb.typed}, {_type_: cb.progress}]
"""

Overridden = Callable[..., tuple[Problem, ...]]


@pytest.fixture
def overridden(parts: Registry, tmp_path: Path) -> Overridden:
    """Return a function that checks the experiment under overrides and returns the problems."""

    def check(*overrides: str) -> tuple[Problem, ...]:
        file = tmp_path / "experiment.yaml"
        file.write_text(EXPERIMENT)
        config, problems = try_resolve(file, overrides)
        assert config is not None
        return check_config_tree(config, parts, problems).problems

    return check


@pytest.mark.parametrize(
    ("override", "meant", "typed"),
    [
        ("trainer.grad_clip_nrm=1", "trainer.grad_clip_norm", "+trainer.grad_clip_norm=1"),
        ("trainer.max_epoch=1", "trainer.max_epochs", "trainer.max_epochs=1"),
        ("optimizer.kwargs.weight_dcay=0", "optimizer.kwargs.weight_decay", "+optimizer.kwargs.weight_decay=0"),
        ("callbacks[0].sise=2", "callbacks[0].size", "'+callbacks[0].size=2'"),
        ("run.sed=2", "run.seed", "+run.seed=2"),
        ("loger=[]", "loggers", "'+loggers=[]'"),
        ("lr=1", "optimizer.kwargs.lr", "optimizer.kwargs.lr=1"),
    ],
)
def test_the_nearest_key_that_could_be_set_is_suggested(overridden: Overridden, override: Any, meant, typed) -> None:
    (problem,) = overridden(override)
    assert (problem.code, problem.suggestion, problem.fix) == ("unknown-path", meant, typed)


def test_what_is_no_argument_is_not_to_be_added(overridden: Overridden) -> None:
    (problem,) = overridden("trainer.zzz=1")
    assert (problem.suggestion, problem.fix) == (None, None)
    assert problem.allowed == "max_epochs, grad_clip_norm"


@pytest.mark.parametrize("override", ["trainer.grad_clip_norm=1", "run.seed=1", "data.shape=[1, 2]"])
def test_what_could_be_set_is_to_be_added(overridden: Overridden, override: str) -> None:
    (problem,) = overridden(override)
    assert problem.fix is not None
    assert problem.fix.strip("'").startswith(f"+{override}")
    assert overridden(f"+{override}") == ()


@pytest.mark.parametrize("override", ["trainer.max_epochs:50", "trainer.grad_clip_norm:1", "eval:gym", "loss.z.z:1"])
def test_an_override_of_the_wrong_form_is_one_problem(overridden: Overridden, override: str) -> None:
    (problem,) = overridden(override)
    assert (problem.code, problem.fix) == ("bad-override", f"'{override.replace(':', '=')}'")
