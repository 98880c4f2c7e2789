"""How far the last step is, so that after a resume nothing of it is done twice and nothing is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from offline_trainer_core.engine.context import RunContext

__all__ = ["LastStep", "Progress"]

_OF_CONTEXT = ("previous_step", "last_train_logs", "last_val_logs", "last_eval_results")


@dataclass
class _Marks:
    """What was done at which optimizer step."""

    open: bool = False
    """Whether a step is trained, and its listeners have not heard of it: a validation stands in between."""
    epoch_complete: bool = False
    """Whether the last batch of the epoch is trained on, and the epoch's end is still to come."""
    logged_at: int = -1
    validated_at: int = -1
    evaluated_at: int = -1
    finishing: bool = False
    """Whether the run did what only its end asks for: a log, a validation and an evaluation out of turn."""


@dataclass
class Progress(_Marks):
    """The same on every process: the marks of the last step, and what the context tells of it."""

    context: RunContext = field(kw_only=True)
    resumed_at: int = field(default=-1, init=False)
    """The step at which a checkpoint found the run, of which something may be done already; -1 in a fresh run."""
    repeats: bool = field(default=False, init=False)
    """Whether the next batch is that of a step which the checkpoint found open: it is trained already."""

    def resume(self) -> None:
        """Note where the run goes on, once everything is restored."""
        self.resumed_at, self.repeats = self.context.state.global_step, self.open

    def done_before(self, step: int) -> bool:
        """Whether what was last done at `step` was done before the resume, and the run has made no step since."""
        return step == self.context.state.global_step == self.resumed_at

    def state_dict(self) -> dict[str, Any]:
        context = self.context
        marks = {name: getattr(self, name) for name in asdict(_Marks())}
        told = {name: getattr(context, name) for name in _OF_CONTEXT}
        return marks | told

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name in asdict(_Marks()):
            setattr(self, name, state[name])
        for name in _OF_CONTEXT:
            setattr(self.context, name, state[name])


class LastStep:
    """A process's own: what the last update returned, for listeners that are yet to hear of it, and what they want."""

    def __init__(self, context: RunContext) -> None:
        self.logs: Mapping[str, Any] | None = None
        self._context = context

    def state_dict(self) -> dict[str, Any]:
        return {
            "logs": None if self.logs is None else dict(self.logs),
            "grad_norm": self._context.last_grad_norm,
            "ended_by": self._context.ended_by,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        device = self._context.run.device
        logs = state["logs"]
        self.logs = None if logs is None else {name: _on(device, value) for name, value in logs.items()}
        self._context.last_grad_norm = _on(device, state["grad_norm"])
        # What ended a run ends it again, unless the callbacks that did were changed.
        if state["ended_by"] is not None and "callbacks" not in self._context.run.renewed:
            self._context.stop(state["ended_by"])


def _on(device: torch.device, value: Any) -> Any:
    return value.to(device) if isinstance(value, torch.Tensor) else value
