"""An optimizer of the run with its learning-rate schedule: what is saved of them, and what a resumed run takes back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from offline_trainer_core.types import SchedulerBundle

__all__ = ["OptimizerSlot"]


@dataclass
class OptimizerSlot:
    """An optimizer of the run, the parameters it owns, and its learning-rate schedule.

    A resumed run takes everything back as it was. Where the settings are `renewed`, it keeps what was learned about the
    parameters (moments, step counts) and takes the settings, such as the learning rate, from the new configuration; the
    new schedule is stepped to its place. So is one that was built for a run of another length.
    """

    name: str
    optimizer: Optimizer
    schedule: SchedulerBundle | None = None
    names: tuple[str, ...] = ()
    """Those of the parameters, in the order of the optimizer's groups."""
    total_steps: int | None = None
    """The length of the run, where the schedule was built for it."""
    renewed: bool = False
    """Whether settings of the optimizer or its schedule have changed since the checkpoint, and are to take effect."""
    steps: int = 0
    epochs: int = 0
    pending: int = 0
    """Backward passes since the last step."""
    remarks: list[str] = field(default_factory=list)
    """Why what was restored does not go on exactly as it would have."""
    parameters: list[Tensor] = field(init=False)
    """All that it owns, whether they have gradients at the moment or not."""

    def __post_init__(self) -> None:
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        return {
            "class": type(self.optimizer).__qualname__,
            "names": list(self.names),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.scheduler.state_dict() if self.schedule else None,
            "total_steps": self.total_steps,
            "steps": self.steps,
            "epochs": self.epochs,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the state back; `remarks` says what is not as it was.

        Raises `ValueError` where the optimizer is of another class or has other parameters, and is not `renewed`.
        """
        self.steps, self.epochs = state["steps"], state["epochs"]
        other_length = self.schedule is not None and state["total_steps"] != self.total_steps
        if self.renewed or other_length:
            self._step_schedule_to_its_place()
        if self.renewed:
            self._keep_moments(state)
        elif other_length and not _is_same_schedule(self.schedule, state["schedule"]):
            self.remarks.append(
                f"the schedule of '{self.name}' now ends at step {self.total_steps} instead of {state['total_steps']}"
            )
            self._keep_moments(state)
        else:
            self._take_back(state)

    def _take_back(self, state: Mapping[str, Any]) -> None:
        own = type(self.optimizer).__qualname__
        if state["class"] != own:
            raise ValueError(f"it is of {state['class']}, and the optimizer is {own}")
        if state["names"] != list(self.names):
            changed = sorted({*state["names"]} ^ {*self.names}) or ["their order"]
            raise ValueError(f"the optimizer has other parameters: {', '.join(changed[:5])}")
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule and state["schedule"] is not None:
            self.schedule.scheduler.load_state_dict(state["schedule"])

    def _keep_moments(self, state: Mapping[str, Any]) -> None:
        """Give every parameter what the checkpoint knows about it, by its name, and leave the settings as they are."""
        known, own = {}, type(self.optimizer).__qualname__
        if state["class"] == own:
            known = dict(zip(state["names"], range(len(state["names"])), strict=True))
        else:
            self.remarks.append(f"the optimizer of '{self.name}' is {own} instead of {state['class']} and starts anew")
        moments = state["optimizer"]["state"]
        places = {index: known[name] for index, name in enumerate(self.names) if known.get(name) in moments}
        kept = {index: moments[place] for index, place in places.items()}
        settings = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": kept, "param_groups": settings})

    def _step_schedule_to_its_place(self) -> None:
        bundle = self.schedule
        if bundle is None:
            return
        if bundle.interval == "metric":
            self.remarks.append(f"the schedule of '{self.name}' watches a metric and starts anew")
            return
        passed = self.steps if bundle.interval == "step" else self.epochs
        with warnings.catch_warnings():
            # torch warns of a schedule that steps before its optimizer has: it has, before the checkpoint.
            warnings.simplefilter("ignore")
            for _ in range(passed // bundle.frequency):
                bundle.scheduler.step()


def _is_same_schedule(bundle: SchedulerBundle | None, saved: Any) -> bool:
    """Whether a schedule at its place is what was saved, and tells everything that it depends on."""
    own = bundle.scheduler.state_dict() if bundle is not None else None
    return own == saved and not _hides_something(own)


def _hides_something(state: Any) -> bool:
    """Whether a schedule's state leaves out functions, as that of torch's `LambdaLR` does."""
    if isinstance(state, Mapping):
        return None in (state.get("lr_lambdas") or ()) or any(map(_hides_something, state.values()))
    return isinstance(state, list) and any(map(_hides_something, state))
