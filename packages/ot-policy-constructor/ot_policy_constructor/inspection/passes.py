"""Has an algorithm do what it does with a batch, so that its models are called as they will be; trains nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from offline_trainer_core import ComponentError, OfflineTrainerError, Specimen
from ot_policy_constructor.inspection.recording import Instruments, Recorder, watching
from ot_policy_constructor.inspection.rows import with_rows
from ot_policy_constructor.inspection.shapes import TensorFact, facts_of

__all__ = ["Pass", "Way", "field_source", "quiet", "run_pass", "ways_of"]

Way = Literal["validate", "act", "update"]


@dataclass
class Pass:
    """What was seen while one batch went through the policy."""

    way: Way
    recorders: dict[str, Recorder]
    instruments: Instruments
    fields: list[TensorFact]
    results: list[tuple[TensorFact, frozenset[str]]] = field(default_factory=list)
    """What the policy answered, and what that was computed from."""


class _LookingStep:
    """Takes the place of a training step, and takes none."""

    global_step = 0
    boundary = True
    optimizers: tuple[str, ...] = ()

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def optimize(self, names: Any, loss: Any) -> None:
        """Leave the parameters as they are."""

    def every(self, n: int) -> bool:
        """Let everything happen, however seldom it is due."""
        return True

    def observe(self, *, outputs: Any, targets: Any, batch: Any) -> None:
        """Measure nothing."""


def ways_of(algorithm: Any) -> tuple[Way, ...]:
    """Return what can be asked of `algorithm` to see its models at work, the best first."""
    ways: tuple[Way, ...] = ("validate", "act", "update")
    return tuple(way for way in ways if hasattr(algorithm, way))


def field_source(name: str) -> str:
    """Return how provenance calls a field of the batch."""
    return f"field {name}"


def run_pass(specimen: Specimen, way: Way, rows: int) -> Pass:
    """Return what `rows` samples of the batch of `specimen` show on their way.

    Raises `ComponentError` where the policy cannot take them.
    """
    batch = with_rows(specimen.batch, rows)
    instruments = Instruments()
    recorders = {name: Recorder(name, model, instruments) for name, model in specimen.models.items()}
    seen = Pass(way, recorders, instruments, instruments.facts(batch))
    for name, leaf in facts_of(batch):
        instruments.provenance.declare([leaf], field_source(name))
    with quiet(specimen.models, way), watching(recorders.values()), instruments.counter, instruments.provenance:
        answer = _call(specimen, way, batch)
    seen.results = [
        (fact, instruments.provenance.sources(leaf))
        for fact, (_, leaf) in zip(instruments.facts(answer), facts_of(answer), strict=True)
    ]
    return seen


def _call(specimen: Specimen, way: Way, batch: Any) -> Any:
    """Return what the policy answers to `batch`, None where it only trains on it."""
    algorithm = specimen.algorithm
    try:
        if way == "validate":
            _, outputs, _ = algorithm.validate(batch)
            return outputs
        if way == "act":
            return algorithm.act(batch, *_noise(algorithm, batch, specimen.run.device))
        algorithm.update(batch, _LookingStep(specimen.run.device))
    except OfflineTrainerError:
        raise
    except Exception as error:
        raise ComponentError(f"{type(algorithm).__name__}.{way} failed on a batch of the data") from error
    return None


def _noise(algorithm: Any, batch: Any, device: torch.device) -> tuple[torch.Tensor, ...]:
    shape = getattr(algorithm, "noise_shape", None)
    rows = len(facts_of(batch)[0][1])
    return () if shape is None else (torch.randn(rows, *shape, device=device),)


@contextmanager
def quiet(models: Mapping[str, nn.Module], way: Way) -> Iterator[None]:
    """Put models in eval mode, so that two batches see the same network, and random numbers back where they were."""
    modes = [(module, module.training) for model in models.values() for module in model.modules()]
    fast_path: Callable[[bool], None] = torch.backends.mha.set_fastpath_enabled
    was_fast = torch.backends.mha.get_fastpath_enabled()
    fast_path(False)  # its one large operation hides what it computes
    for model in models.values():
        model.eval()
    try:
        with torch.random.fork_rng(), torch.set_grad_enabled(way == "update"):
            torch.manual_seed(0)
            yield
    finally:
        fast_path(was_fast)
        for module, training in modes:
            module.training = training
