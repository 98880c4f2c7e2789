"""A resumed optimizer goes on as it was; accepted settings take effect without losing what was learned."""

from __future__ import annotations

import warnings
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW
from torch.optim import lr_scheduler as schedules

from offline_trainer_core.engine.slot import OptimizerSlot
from offline_trainer_core.types import SchedulerBundle
from ot_builtins.schedulers import WarmupCosine

STEPS, MORE = 7, 5
INPUTS = torch.randn(STEPS + MORE, 6, 3, generator=torch.Generator().manual_seed(0))


def network() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(3, 2)


def slot_of(model, make_optimizer, make_schedule=None, interval="step", **fields) -> OptimizerSlot:
    optimizer = make_optimizer(list(model.parameters()))
    schedule = make_schedule and make_schedule(optimizer)
    bundle = (
        schedule if isinstance(schedule, SchedulerBundle) or schedule is None else SchedulerBundle(schedule, interval)
    )
    names = tuple(name for name, _ in model.named_parameters())
    return OptimizerSlot("model", optimizer, bundle, names, **fields)


def train(model, slot, first: int, last: int, interval="step") -> None:
    for step in range(first, last):
        model(INPUTS[step]).square().mean().backward()
        slot.optimizer.step()
        slot.optimizer.zero_grad()
        slot.steps += 1
        slot.epochs = slot.steps // 2
        if slot.schedule and (interval == "step" or slot.steps % 2 == 0):
            slot.schedule.scheduler.step()


def weights(model) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def equal(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def resumed(old: tuple, new: tuple, interval="step", old_fields=None, **fields):
    """Train with `old`, save, restore into `new`, train on; return the weights and the slot."""
    model = network()
    before = slot_of(model, *old, interval=interval, **(old_fields or {}))
    train(model, before, 0, STEPS, interval)
    saved = deepcopy(before.state_dict())
    after = slot_of(model, *new, interval=interval, **fields)
    after.load_state_dict(saved)
    train(model, after, STEPS, STEPS + MORE, interval)
    return weights(model), after


def straight(old: tuple, change, interval="step"):
    """Train with `old`, let `change` set the optimizer and schedule by hand, train on; return the weights."""
    model = network()
    slot = slot_of(model, *old, interval=interval)
    train(model, slot, 0, STEPS, interval)
    change(slot)
    train(model, slot, STEPS, STEPS + MORE, interval)
    return weights(model)


def adam(lr=1e-2, **options):
    return lambda parameters: AdamW(parameters, lr=lr, **options)


def settings(**changed):
    def change(slot) -> None:
        for group in slot.optimizer.param_groups:
            group.update(changed)

    return change


MAKERS = {
    "step": lambda optimizer: schedules.StepLR(optimizer, 2, 0.5),
    "exponential": lambda optimizer: schedules.ExponentialLR(optimizer, 0.9),
    "cosine": lambda optimizer: schedules.CosineAnnealingLR(optimizer, 12),
    "one cycle": lambda optimizer: schedules.OneCycleLR(optimizer, 0.1, total_steps=20),
    "sequence": lambda optimizer: schedules.SequentialLR(
        optimizer, [schedules.LinearLR(optimizer, 0.1, total_iters=3), schedules.ExponentialLR(optimizer, 0.9)], [3]
    ),
}


@pytest.mark.parametrize("make_schedule", [None, *MAKERS.values()], ids=["none", *MAKERS])
@pytest.mark.parametrize("make_optimizer", [adam(), lambda p: SGD(p, lr=0.1, momentum=0.9)], ids=["adam", "sgd"])
def test_the_same_settings_go_on_to_the_bit(make_optimizer, make_schedule) -> None:
    same = (make_optimizer, make_schedule)
    went_on, slot = resumed(same, same)
    assert equal(went_on, straight(same, lambda slot: None))
    assert slot.remarks == []


def test_an_accepted_rate_takes_effect_and_the_moments_stay() -> None:
    old, new = (adam(1e-2, weight_decay=0.0),), (adam(1e-3, weight_decay=0.1, betas=(0.8, 0.99)),)
    went_on, _ = resumed(old, new, renewed=True)
    expected = straight(old, settings(lr=1e-3, weight_decay=0.1, betas=(0.8, 0.99)))
    assert equal(went_on, expected)
    assert not equal(went_on, straight(old, lambda slot: None))


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("name", ["step", "cosine", "one cycle", "sequence"])
def test_a_changed_rate_or_schedule_is_where_it_would_be_now(name, interval) -> None:
    old, new = (adam(1e-2), MAKERS["exponential"]), (adam(1e-3), MAKERS[name])

    def change(slot) -> None:
        """What a new schedule does when it is stepped on a new optimizer, carried over by hand."""
        place = AdamW(slot.parameters, lr=1e-3)
        schedule = MAKERS[name](place)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(STEPS if interval == "step" else STEPS // 2):
                schedule.step()
        for group, moved in zip(slot.optimizer.param_groups, place.param_groups, strict=True):
            group.update({key: value for key, value in moved.items() if key != "params"})
        schedule.optimizer = slot.optimizer
        for inner in getattr(schedule, "_schedulers", ()):
            inner.optimizer = slot.optimizer
        slot.schedule = SchedulerBundle(schedule, interval)

    went_on, slot = resumed(old, new, interval, renewed=True)
    assert equal(went_on, straight(old, change, interval))
    assert slot.remarks == []


def cosine(total):
    return lambda optimizer: WarmupCosine(warmup_steps=2).build(optimizer, registry=None, total_steps=total)


def test_a_schedule_over_the_run_follows_the_new_length_and_says_so() -> None:
    went_on, slot = resumed((adam(), cosine(14)), (adam(), cosine(28)), old_fields={"total_steps": 14}, total_steps=28)
    rate = cosine(28)(AdamW([nn.Parameter(torch.ones(1))], lr=1e-2)).scheduler.lr_lambdas[0](STEPS + MORE) * 1e-2
    assert slot.optimizer.param_groups[0]["lr"] == pytest.approx(rate, rel=1e-12)
    assert slot.remarks == ["the schedule of 'model' now ends at step 28 instead of 14"]
    old = (adam(), cosine(14))
    assert not equal(went_on, straight(old, lambda slot: None))


def test_a_schedule_with_a_length_of_its_own_is_exact_in_a_longer_run() -> None:
    own = (adam(), cosine(14))
    went_on, slot = resumed(own, own, old_fields={"total_steps": 14}, total_steps=28)
    assert equal(went_on, straight(own, lambda slot: None))
    assert slot.remarks == []


def test_a_schedule_that_hides_its_function_is_not_called_exact_in_a_longer_run() -> None:
    hidden = (adam(), lambda optimizer: schedules.LambdaLR(optimizer, lambda step: 1.0))
    _, slot = resumed(hidden, hidden, old_fields={"total_steps": 14}, total_steps=28)
    assert slot.remarks == ["the schedule of 'model' now ends at step 28 instead of 14"]


def test_a_schedule_that_watches_a_metric_starts_anew_and_says_so() -> None:
    def plateau(optimizer):
        return SchedulerBundle(schedules.ReduceLROnPlateau(optimizer, patience=0), "metric", 1, "val/loss")

    model = network()
    before = slot_of(model, adam(), plateau)
    before.schedule.scheduler.step(1.0)
    after = slot_of(model, adam(1e-3), plateau, renewed=True)
    after.load_state_dict(deepcopy(before.state_dict()))
    assert after.schedule.scheduler.last_epoch == 0
    assert after.remarks == ["the schedule of 'model' watches a metric and starts anew"]


def test_moments_follow_the_names_of_parameters_into_other_groups() -> None:
    model = network()
    before = slot_of(model, adam())
    train(model, before, 0, STEPS)
    optimizer = AdamW([{"params": [model.bias], "lr": 1e-3}, {"params": [model.weight]}])
    after = OptimizerSlot("model", optimizer, None, ("bias", "weight"), renewed=True)
    after.load_state_dict(deepcopy(before.state_dict()))
    for parameter in model.parameters():
        assert torch.equal(optimizer.state[parameter]["exp_avg"], before.optimizer.state[parameter]["exp_avg"])


def test_a_parameter_that_was_frozen_begins_without_moments() -> None:
    model = network()
    before = OptimizerSlot("model", AdamW([model.bias]), None, ("bias",))
    train(model, before, 0, 2)
    after = slot_of(model, adam(), renewed=True)
    after.load_state_dict(deepcopy(before.state_dict()))
    assert model.weight not in after.optimizer.state
    assert after.optimizer.state[model.bias]["step"] == 2


def test_another_optimizer_starts_anew_and_says_so() -> None:
    went_on, slot = resumed((adam(),), (lambda p: SGD(p, lr=0.1, momentum=0.9),), renewed=True)
    assert slot.remarks == ["the optimizer of 'model' is SGD instead of AdamW and starts anew"]

    def change(slot) -> None:
        slot.optimizer = SGD(slot.parameters, lr=0.1, momentum=0.9)

    assert equal(went_on, straight((adam(),), change))


@pytest.mark.parametrize(
    ("optimizer", "names", "said"),
    [
        (lambda m: SGD(m.parameters(), lr=0.1), ("weight", "bias"), "it is of AdamW, and the optimizer is SGD"),
        (lambda m: AdamW([m.bias, m.weight]), ("bias", "weight"), "other parameters: their order"),
        (lambda m: AdamW([m.weight]), ("weight",), "other parameters: bias"),
    ],
)
def test_what_nobody_accepted_is_refused(optimizer, names, said) -> None:
    model = network()
    before = slot_of(model, adam())
    train(model, before, 0, 2)
    with pytest.raises(ValueError, match=said):
        OptimizerSlot("model", optimizer(model), None, names).load_state_dict(before.state_dict())
