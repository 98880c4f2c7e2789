"""Configurations are checked against components that are real modules in a folder, none of which may be imported."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.config import resolve_config
from offline_trainer_core.plan import CheckReport, check_config_tree

Check = Callable[..., CheckReport]

PARTS = '''
"""Components whose import is an error: looking must not import them."""

from typing import Annotated, Literal

from offline_trainer_core import ComponentOf, Metric, PositiveInt

raise ImportError("imported")


class Trainer:
    def __init__(self, max_epochs: int = 1, grad_clip_norm: float | None = None): ...


class Supervised:
    def __init__(self, action_field: str = "action"): ...


class ActorCritic:
    def __init__(self, discount: float = 0.99): ...


class Data:
    def __init__(self, batch_size: int, shape: tuple[int, int] = (1, 2), shuffle=True): ...


class Io:
    def __init__(self, model_kwargs: dict[str, str] | None = None, targets: dict[str, str] | None = None,
                 model_args: list[str] | None = None): ...


class Loss:
    """Scores.

    A second paragraph."""

    def __init__(self, fn, reduction: Literal["mean", "sum"] = "mean", *, weights: list[float] | None = None): ...


class Mlp:
    def __init__(self, dims: list[int | None], activation: str = "ReLU", dropout: float = 0.0): ...


class Factory:
    def __init__(self, type: Annotated[str, ComponentOf("optim_cls", args="args", kwargs="kwargs")] = "AdamW", args=(),
                 kwargs: dict | None = None): ...


class Scheduler:
    def __init__(self, type: Annotated[str, ComponentOf("sched_cls", args="args", kwargs="kwargs")], args=(),
                 kwargs=None, interval: Literal["step", "metric"] = "step", monitor=None): ...


class AdamW:
    def __init__(self, params, lr: float = 1e-3, weight_decay: float = 0.01): ...


class StepLR:
    def __init__(self, optimizer, step_size: int, gamma: float = 0.1): ...


class Anything:
    def __init__(self, **kwargs): ...


class Typed:
    def __init__(self, size: PositiveInt = 1, metric: Metric | None = None, parts: dict[str, Metric] | None = None,
                 names: list[Annotated[str, ComponentOf("metric")]] | None = None,
                 known: Annotated[Literal["error", "absent"], ComponentOf("metric")] = "error"): ...


class Nothing:
    pass


def frontend(definition, *, registry): ...


Opaque = object()
'''

READERS = """
class Reading:
    def __init__(self, definition):
        self.inputs = tuple(definition.get("inputs") or ()) or None
        steps = definition.get("steps") or []
        self.references = [
            (step.get("where", f"steps[{i}].call"), f"op.{step['call']}") for i, step in enumerate(steps)
        ]
        self.problems = [("outputs", "missing-key", "a graph needs 'outputs'", None)] if "bad" in definition else []
        odd = [key for key in definition if "np.exe" in key]
        self.problems += [(f".{key}", "unknown-key", f"'{key}' is not a key", None) for key in odd]


def read(definition):
    if "crash" in definition:
        raise RuntimeError("reader bug")
    return Reading(definition)


class Account:
    def __init__(self, **told):
        self.__dict__.update(told)


def read_io(arguments):
    keywords = {name: f"model_kwargs.{name}" for name in arguments.get("model_kwargs") or {}}
    return Account(calls=(len(arguments.get("model_args") or []), keywords))
"""

KEYS = {
    "trainer.default": "Trainer",
    "algo.supervised": "Supervised",
    "algo.actor_critic": "ActorCritic",
    "data.tensors": "Data",
    "io.mapping": "Io",
    "loss.torch": "Loss",
    "loss.open": "Anything",
    "loss.opaque": "Opaque",
    "block.mlp": "Mlp",
    "nn.MSELoss": "Nothing",
    "model.actor": "Mlp",
    "optim_factory.torch": "Factory",
    "optim_cls.AdamW": "AdamW",
    "sched_factory.torch": "Scheduler",
    "sched_cls.StepLR": "StepLR",
    "cb.progress": "Nothing",
    "log.csv": "Nothing",
    "metric.error": "Nothing",
    "eval.gym": "Anything",
    "strategy.single": "Nothing",
    "strategy.ddp": "Nothing",
    "launcher.local": "Nothing",
    "launcher.torchrun": "Nothing",
    "frontend.graph": "frontend",
    "frontend.sequential": "frontend",
    "op.add": "frontend",
    "strange.open": "Anything",
    "cb.typed": "Typed",
}

EXPERIMENT = """
schema_version: 1
run: {name: test, out_dir: runs}
model:
  sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 2]}]}
data: {_type_: data.tensors, batch_size: 8}
io: {_type_: io.mapping, model_kwargs: {x: obs}, targets: {y: action}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}
"""


def entry(key: str, reference: str, distribution: str = "ot-parts", **rest: object) -> Entry:
    return Entry(key, reference, distribution, "0.1.0", **rest)  # type: ignore[arg-type]


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Return a registry of one distribution's components; nothing of it may have been imported at the end."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "plan_parts.py").write_text(PARTS)
    (site / "plan_readers.py").write_text(READERS)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    readers = [entry(key, "plan_readers:read") for key in ("frontend.graph", "frontend.sequential")]
    readers.append(entry("io.mapping", "plan_readers:read_io"))
    entries = [entry(key, f"plan_parts:{name}") for key, name in KEYS.items()]
    yield Registry(entries, readers=readers, plugins=[entry("timing", "plan_parts:Nothing")])
    assert "plan_parts" not in sys.modules


@pytest.fixture
def check(parts: Registry, tmp_path: Path) -> Check:
    """Return a function that checks YAML text; without text, an experiment that is right, changed by overrides."""

    def check(text: str = EXPERIMENT, *overrides: str, registry: Registry | None = None) -> CheckReport:
        file = tmp_path / "experiment.yaml"
        file.write_text(textwrap.dedent(text))
        return check_config_tree(resolve_config(file, overrides), registry or parts)

    return check


def codes(report: CheckReport) -> Sequence[tuple[str, str]]:
    """Return code and path of every problem."""
    return [(problem.code, problem.config_path) for problem in report.problems]
