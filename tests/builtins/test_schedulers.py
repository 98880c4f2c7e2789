from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, lr_scheduler

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.errors import ComponentError
from ot_builtins.schedulers import TorchScheduler, WarmupCosine, WarmupLinear


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    for name in ("CosineAnnealingLR", "StepLR", "ReduceLROnPlateau"):
        registry.register_module(f"sched_cls.{name}", f"torch.optim.lr_scheduler:{name}")
    return registry


def optimizer(lr: float = 0.5) -> SGD:
    return SGD(nn.Linear(2, 2).parameters(), lr=lr)


def rates(make: Callable[[SGD], Any], steps: int) -> list[float]:
    chosen = optimizer()
    scheduler = make(chosen)
    found = []
    for _ in range(steps):
        found.append(chosen.param_groups[0]["lr"])
        chosen.step()
        scheduler.step()
    return found


def transformers_cosine(step: int, warmup: int, total: int) -> float:
    """`get_cosine_schedule_with_warmup` of Hugging Face transformers, with its default of half a cycle."""
    if step < warmup:
        return float(step) / float(max(1, warmup))
    progress = float(step - warmup) / float(max(1, total - warmup))
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * 0.5 * 2.0 * progress)))


def transformers_linear(step: int, warmup: int, total: int) -> float:
    """`get_linear_schedule_with_warmup` of Hugging Face transformers."""
    if step < warmup:
        return float(step) / float(max(1, warmup))
    return max(0.0, float(total - step) / float(max(1, total - warmup)))


@pytest.mark.parametrize(
    ("factory", "reference"), [(WarmupCosine, transformers_cosine), (WarmupLinear, transformers_linear)]
)
@pytest.mark.parametrize(("warmup", "total"), [(0, 20), (5, 20), (19, 20)])
def test_the_schedule_is_that_of_transformers(factory: Any, reference: Any, warmup: int, total: int) -> None:
    found = rates(lambda o: factory(warmup, total).build(o, registry=None).scheduler, total)
    expected = [0.5 * reference(step, warmup, total) for step in range(total)]
    assert found == pytest.approx(expected, abs=1e-12)
    assert found != pytest.approx([0.5 * reference(step, warmup + 1, total) for step in range(total)], abs=1e-12)


def test_without_warmup_the_cosine_is_that_of_torch() -> None:
    found = rates(lambda o: WarmupCosine(0, 30, min_ratio=0.1).build(o, registry=None).scheduler, 30)
    expected = rates(lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=30, eta_min=0.05), 30)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("factory", [WarmupCosine, WarmupLinear])
def test_after_the_end_the_rate_stays_at_its_lowest(factory: Any) -> None:
    found = rates(lambda o: factory(2, 10, min_ratio=0.2).build(o, registry=None).scheduler, 15)
    assert found[10:] == pytest.approx([0.1] * 5)
    assert min(found[2:10]) > 0.1


@pytest.mark.parametrize("factory", [WarmupCosine, WarmupLinear])
def test_the_length_is_that_of_the_run_unless_it_is_given(factory: Any) -> None:
    def built(**arguments: Any) -> list[float]:
        return rates(lambda o: factory(2, **arguments).build(o, registry=None, total_steps=12).scheduler, 12)

    assert built() == built(total_steps=12) != built(total_steps=24)
    with pytest.raises(ComponentError, match="set total_steps"):
        factory(2).build(optimizer(), registry=None)


def test_a_restored_schedule_goes_on_where_it_was() -> None:
    chosen = optimizer()
    scheduler = WarmupCosine(3, 12).build(chosen, registry=None).scheduler
    for _ in range(5):
        chosen.step()
        scheduler.step()
    other = optimizer()
    restored = WarmupCosine(3, 12).build(other, registry=None).scheduler
    other.load_state_dict(chosen.state_dict())
    restored.load_state_dict(scheduler.state_dict())
    for _ in range(3):
        for each, schedule in ((chosen, scheduler), (other, restored)):
            each.step()
            schedule.step()
        assert other.param_groups[0]["lr"] == chosen.param_groups[0]["lr"] != 0.5


def test_a_run_that_ends_within_the_warmup_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        WarmupCosine(10).build(optimizer(), registry=None, total_steps=8)
    assert "the run ends after 8 steps, within the warm-up of 10" in caplog.text


def test_a_scheduler_of_torch_is_built_by_name(registry: Registry) -> None:
    factory = TorchScheduler("CosineAnnealingLR", args=[10], kwargs={"eta_min": 0.1}, frequency=2)
    chosen = optimizer()
    bundle = factory.build(chosen, registry=registry)
    assert (bundle.interval, bundle.frequency, bundle.monitor) == ("step", 2, None)
    found = rates(lambda o: factory.build(o, registry=registry).scheduler, 10)
    assert found == rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 10, eta_min=0.1), 10)
    assert found != rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 11, eta_min=0.1), 10)


def test_a_scheduler_that_reacts_to_a_metric_is_given_one(registry: Registry) -> None:
    factory = TorchScheduler("ReduceLROnPlateau", kwargs={"patience": 0}, interval="metric", monitor="val/loss")
    chosen = optimizer()
    bundle = factory.build(chosen, registry=registry)
    for value in (1.0, 2.0):
        bundle.scheduler.step(torch.tensor(value))
    assert bundle.monitor == "val/loss"
    assert chosen.param_groups[0]["lr"] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"type": "StepLr"}, "did you mean 'sched_cls.StepLR'"),
        ({"type": "StepLR", "kwargs": {"stepsize": 3}}, "no argument 'stepsize'; did you mean 'step_size'"),
        ({"type": "StepLR"}, "sched_cls.StepLR: .*step_size"),
        ({"type": "ReduceLROnPlateau"}, "reacts to a metric: set 'interval: metric'"),
        ({"type": "StepLR", "interval": "metric", "monitor": "val/loss"}, "reads no metric"),
        ({"type": "StepLR", "interval": "metric"}, "'interval: metric' and 'monitor' go together"),
        ({"type": "StepLR", "monitor": "val/loss"}, "'interval: metric' and 'monitor' go together"),
        ({"type": "StepLR", "interval": "batch"}, "interval is step, epoch or metric"),
        ({"type": "StepLR", "frequency": 0}, "frequency is 0"),
    ],
)
def test_what_does_not_fit_is_named(arguments: dict[str, Any], message: str, registry: Registry) -> None:
    with pytest.raises(ComponentError, match=message):
        TorchScheduler(**arguments).build(optimizer(), registry=registry)


@pytest.mark.parametrize("arguments", [{"warmup_steps": -1}, {"total_steps": 0}, {"min_ratio": 1.5}])
@pytest.mark.parametrize("factory", [WarmupCosine, WarmupLinear])
def test_numbers_out_of_range_are_refused(factory: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(ComponentError, match="warmup_steps must be at least 0"):
        factory(**arguments)
