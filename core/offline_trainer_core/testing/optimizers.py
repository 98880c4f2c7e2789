"""The contracts of `optim_factory.*` and `sched_factory.*`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from offline_trainer_core.catalogue import installed_registry
from offline_trainer_core.record import CheckpointStore
from offline_trainer_core.testing.contract import Contract, same
from offline_trainer_core.types import SchedulerBundle

__all__ = ["OptimizerFactoryContract", "SchedulerFactoryContract"]


class OptimizerFactoryContract(Contract):
    """An optimizer owns every trainable parameter once, steps downhill, and continues from its state."""

    def model(self) -> nn.Module:
        """Return a small model to optimise, always with the same weights."""
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of `model`."""
        optimizer: torch.optim.Optimizer = self.make().build(model, registry=installed_registry())
        return optimizer

    def test_every_trainable_parameter_is_owned_exactly_once(self) -> None:
        model = self.model()
        model[0].requires_grad_(False)  # type: ignore[index]
        owned = [id(p) for group in self.build(model).param_groups for p in group["params"] if p.requires_grad]
        trainable = [id(p) for p in model.parameters() if p.requires_grad]
        assert len(owned) == len(set(owned)), "a parameter is in two groups"
        assert set(owned) == set(trainable), f"it owns {len(owned)} of {len(trainable)} trainable parameters"

    def test_steps_lower_the_loss(self) -> None:
        model = self.model()
        losses = self._train(model, self.build(model), 50)
        assert losses[-1] < losses[0], f"50 steps took the loss from {losses[0]:.4g} to {losses[-1]:.4g}"

    def test_a_restored_optimizer_goes_on_as_if_nothing_had_happened(self, tmp_path: Path) -> None:
        model, twin = self.model(), self.model()
        optimizer, restored = self.build(model), self.build(twin)
        self._train(model, optimizer, 3)
        store = CheckpointStore(tmp_path)
        store.save("one", {"model": model.state_dict(), "optimizer": optimizer.state_dict()}, counters={})
        state = store.load("one").state
        twin.load_state_dict(state["model"])
        restored.load_state_dict(state["optimizer"])
        self._train(model, optimizer, 3)
        self._train(twin, restored, 3)
        assert same(model.state_dict(), twin.state_dict()), "its steps depend on something that is not in state_dict()"

    def _train(self, model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
        inputs = torch.linspace(-1, 1, 24).view(8, 3)
        losses = []
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (model(inputs) - inputs.sum(1, keepdim=True)).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses


class SchedulerFactoryContract(Contract):
    """A schedule changes learning rates and continues from its state."""

    def bundle(self, optimizer: torch.optim.Optimizer) -> SchedulerBundle:
        """Return the bundle of the factory for `optimizer`, in a run of 20 steps."""
        build = self.make().build
        length = {"total_steps": 20} if "total_steps" in inspect.signature(build).parameters else {}
        bundle: SchedulerBundle = build(optimizer, registry=installed_registry(), **length)
        return bundle

    def rates(self, steps: int, resume_after: int | None = None) -> list[float]:
        """Return the learning rates of `steps` steps, restored from its state after `resume_after` of them."""
        optimizer = _optimizer()
        bundle, rates = self.bundle(optimizer), []
        for step in range(steps):
            if step == resume_after:
                state: Any = (optimizer.state_dict(), bundle.scheduler.state_dict())
                optimizer = _optimizer()
                bundle = self.bundle(optimizer)
                optimizer.load_state_dict(state[0])
                bundle.scheduler.load_state_dict(state[1])
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            bundle.scheduler.step(*([1.0] if bundle.interval == "metric" else []))
        return rates

    def test_the_bundle_says_when_it_steps(self) -> None:
        bundle = self.bundle(_optimizer())
        assert bundle.interval in ("step", "epoch", "metric"), f"there is no interval '{bundle.interval}'"
        assert bundle.frequency >= 1, f"a frequency is 1 or more, not {bundle.frequency}"
        assert (bundle.interval == "metric") == (bundle.monitor is not None), "'metric' and a monitor go together"

    def test_learning_rates_change_and_are_never_negative(self) -> None:
        rates = self.rates(20)
        assert len(set(rates)) > 1, f"the learning rate is {rates[0]} for 20 steps"
        assert min(rates) >= 0, f"a learning rate is {min(rates)}"

    def test_a_restored_schedule_goes_on_as_if_nothing_had_happened(self) -> None:
        assert self.rates(20, resume_after=7) == pytest.approx(self.rates(20), rel=1e-12, abs=0)


def _optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
