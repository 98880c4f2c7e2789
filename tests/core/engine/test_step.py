"""From a loss to new weights: equal to a loop written by hand, for every setting."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offline_trainer_core import ComponentError, NonFiniteError, SchedulerBundle


def by_hand(small, *, epochs=1, accumulate=1, clip=None, network=None, batches=None, optimizer=None):
    """Train as anyone would write it down, and return the model."""
    model, batches = network or small.network(), batches or small.Batches()
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(epochs):
        batches.set_epoch(epoch)
        window = []
        for index, batch in enumerate(batches):
            window.append(nn.functional.mse_loss(model(batch["x"]), batch["y"]))
            if len(window) == accumulate or index == len(batches) - 1:
                optimizer.zero_grad()
                torch.stack(window).mean().backward()
                if clip:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
                window = []
    return model


def same(a: nn.Module, b: nn.Module, **tolerance) -> bool:
    return all(torch.allclose(p, q, **tolerance) for p, q in zip(a.parameters(), b.parameters(), strict=True))


EXACT = {"rtol": 0, "atol": 0}


def test_training_equals_a_loop_written_by_hand_to_the_bit(make_parts, small, train):
    parts = make_parts()
    train(parts, max_epochs=3)
    assert same(parts["model"], by_hand(small, epochs=3), **EXACT)
    assert not same(parts["model"], by_hand(small, epochs=2))


@pytest.mark.parametrize("accumulate", [2, 5])
def test_accumulated_gradients_equal_the_mean_of_the_window_and_the_remainder_steps_too(
    make_parts, small, train, accumulate
):
    class Holding:
        def wrap(self, model, device):
            return model

        def accumulate(self, models):
            return torch.enable_grad()

    parts = make_parts(strategy=Holding())
    session = train(parts, max_epochs=2, grad_accum_steps=accumulate)
    assert session.state.global_step == 2 * -(-12 // accumulate)
    assert same(parts["model"], by_hand(small, epochs=2, accumulate=accumulate), rtol=1e-5, atol=1e-7)
    assert not same(parts["model"], by_hand(small, epochs=2, accumulate=accumulate + 1), rtol=1e-3)


def test_gradients_are_clipped_to_the_norm(make_parts, small, train):
    parts = make_parts()
    train(parts, max_epochs=1, grad_clip_norm=0.1)
    assert same(parts["model"], by_hand(small, clip=0.1), rtol=1e-6)
    assert not same(parts["model"], by_hand(small))


def test_several_updates_on_each_batch(make_parts, small, train):
    parts = make_parts(datamodule=small.Data(train=small.Batches(count=2)))
    session = train(parts, max_epochs=1, optim_steps_per_batch=3)
    model, batches = small.network(), small.Batches(count=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for batch in batches:
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(batch["x"]), batch["y"]).backward()
            optimizer.step()
    assert session.state.global_step == 6
    assert same(parts["model"], model, **EXACT)


def test_bfloat16_autocast_equals_autocast_by_hand(make_parts, small, train):
    parts = make_parts(precision="bf16-mixed")
    train(parts, max_epochs=1)
    model, batches = small.network(), small.Batches()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for batch in batches:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.mse_loss(model(batch["x"]), batch["y"])
        loss.backward()
        optimizer.step()
    assert same(parts["model"], model, **EXACT)
    assert not same(parts["model"], by_hand(small), rtol=1e-6)


def test_float16_scales_the_loss_and_unscales_the_gradients(make_parts, small, train):
    parts = make_parts(precision="fp16-mixed")
    train(parts, max_epochs=1, grad_clip_norm=0.5)
    model, scaler = small.network(), torch.amp.GradScaler("cpu")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for batch in small.Batches():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            loss = nn.functional.mse_loss(model(batch["x"]), batch["y"])
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        scaler.step(optimizer)
        scaler.update()
    assert same(parts["model"], model, rtol=1e-6)
    assert not same(parts["model"], by_hand(small, clip=0.5), rtol=1e-6)


class Poison:
    """Makes the loss of one step infinite."""

    def __init__(self, step: int) -> None:
        self.step = step

    def post_loss(self, context, loss):
        return loss * float("inf") if context.state.global_step == self.step else None


def test_a_loss_that_is_not_finite_ends_the_run_before_the_optimizer_steps(make_parts, small, train):
    parts = make_parts(callbacks={"poison": Poison(2)})
    with pytest.raises(NonFiniteError, match=r"step 3 \(epoch 0, batch 2\)"):
        train(parts, max_epochs=1)
    model = small.network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _, batch in zip(range(2), small.Batches(), strict=False):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(batch["x"]), batch["y"]).backward()
        optimizer.step()
    assert same(parts["model"], model, **EXACT)


def test_on_nonfinite_skip_leaves_that_step_out(make_parts, train):
    parts = make_parts(callbacks={"poison": Poison(2)})
    session = train(parts, max_epochs=1, on_nonfinite="skip")
    assert session.state.global_step == 12
    assert all(p.isfinite().all() for p in parts["model"].parameters())


def test_on_nonfinite_ignore_does_not_look(make_parts, train):
    parts = make_parts(callbacks={"poison": Poison(2)})
    train(parts, max_epochs=1, on_nonfinite="ignore")
    assert not all(p.isfinite().all() for p in parts["model"].parameters())


class Scheduled:
    """A scheduler factory with one interval."""

    def __init__(self, **bundle) -> None:
        self.bundle = bundle

    def build(self, optimizer, *, registry):
        if self.bundle.get("interval") == "metric":
            scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
        else:
            scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
        return SchedulerBundle(scheduler, **self.bundle)


@pytest.mark.parametrize(
    ("bundle", "halvings"),
    [({"interval": "step"}, 24), ({"interval": "step", "frequency": 6}, 4), ({"interval": "epoch"}, 2)],
)
def test_schedules_step_at_their_interval(make_parts, train, bundle, halvings):
    session = train(make_parts(scheduler_factory=Scheduled(**bundle)), max_epochs=2)
    assert session.context.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 * 0.5**halvings)


@pytest.mark.parametrize("monitor", ["loss", "val/loss"])
def test_a_metric_schedule_follows_validation_and_names_what_is_missing(make_parts, small, train, monitor):
    data = small.Data(val=small.Batches(count=2))
    parts = make_parts(datamodule=data, scheduler_factory=Scheduled(interval="metric", monitor=monitor))
    session = train(parts, max_steps=1)
    session._stepper.report({"loss": 1.0})
    session._stepper.report({"loss": 2.0})
    session._stepper.report({"loss": 3.0})
    assert session.context.optimizer.param_groups[0]["lr"] == pytest.approx(0.05 / 4)
    with pytest.raises(ComponentError, match=f"monitors '{monitor}', and validation gives: error"):
        session._stepper.report({"error": 1.0})


class TwoNetworks:
    """Trains `critic` on its own loss and `actor` through the critic, every second step."""

    def setup(self, *, models, modules):
        self.models, self.modules = models, modules

    def update(self, batch, step):
        critic = nn.functional.mse_loss(self.models["critic"](batch["x"]), batch["y"])
        step.optimize("critic", critic)
        if step.every(2):
            step.optimize("actor", self.modules["critic"](self.models["actor"](batch["x"])).square().mean())
        return {"critic": critic}


def two_networks(small):
    torch.manual_seed(1)
    return {"actor": nn.Linear(3, 3), "critic": small.network()}


def test_each_optimizer_moves_its_own_model_and_gradients_do_not_leak(make_parts, small, train):
    models = two_networks(small)
    factory = {"actor": small.Sgd(lr=0.1), "critic": small.Sgd()}
    train(make_parts(models=models, algorithm=TwoNetworks(), optimizer_factory=factory), max_epochs=1)

    mine = two_networks(small)
    actor = torch.optim.SGD(mine["actor"].parameters(), lr=0.1, momentum=0.9)
    critic = torch.optim.SGD(mine["critic"].parameters(), lr=0.05, momentum=0.9)
    for index, batch in enumerate(small.Batches()):
        critic.zero_grad()
        nn.functional.mse_loss(mine["critic"](batch["x"]), batch["y"]).backward()
        critic.step()
        if index % 2 == 0:
            actor.zero_grad()
            mine["critic"](mine["actor"](batch["x"])).square().mean().backward()
            actor.step()
    assert same(models["critic"], mine["critic"], **EXACT)
    assert same(models["actor"], mine["actor"], **EXACT)


def test_an_unknown_optimizer_is_named(make_parts, small, train):
    class Wrong(small.Fit):
        def update(self, batch, step):
            step.optimize("policy", self.score(batch, "train")[0])

    with pytest.raises(ComponentError, match="no optimizer 'policy'; this run has: model"):
        train(make_parts(algorithm=Wrong()), max_steps=1)


def test_a_model_without_an_optimizer_is_refused_unless_it_is_frozen(make_parts, small, train):
    from offline_trainer_core.networks import ModelOptions

    models, factory = two_networks(small), {"critic": small.Sgd()}
    with pytest.raises(ComponentError, match="'actor' has no optimizer"):
        train(make_parts(models=models, algorithm=TwoNetworks(), optimizer_factory=factory), max_steps=1)
    before = models["actor"].weight.clone()

    class OnlyCritic(TwoNetworks):
        def update(self, batch, step):
            loss = self.models["critic"](self.models["actor"](batch["x"])).square().mean()
            step.optimize("critic", loss)
            return {"loss": loss}

    frozen = {"actor": ModelOptions(freeze=True)}
    train(
        make_parts(models=models, algorithm=OnlyCritic(), optimizer_factory=factory, model_options=frozen), max_steps=3
    )
    assert torch.equal(models["actor"].weight, before)


class Freezes:
    """A callback that decides at every step which layers have gradients."""

    def __init__(self, layers, is_frozen) -> None:
        self.layers, self.is_frozen = layers, is_frozen

    def on_fit_start(self, context):
        self.on_train_step_end(context)

    def on_train_step_end(self, context):
        for name, layer in self.layers.items():
            layer.requires_grad_(not self.is_frozen(name, context.state.global_step))


def first_layer_in_the_middle(name, step):
    return 4 <= step < 8


def first_layer_in_the_beginning(name, step):
    return step < 4


def never(name, step):
    return False


def with_first_layer(small, is_frozen):
    """Train by hand, and freeze the first layer as `is_frozen` says."""
    model = small.network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for step, batch in enumerate(small.Batches()):
        model[0].requires_grad_(not is_frozen("first", step))
        optimizer.zero_grad()
        nn.functional.mse_loss(model(batch["x"]), batch["y"]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
    return model


@pytest.mark.parametrize("is_frozen", [first_layer_in_the_middle, first_layer_in_the_beginning])
@pytest.mark.parametrize("before_the_run", [False, True], ids=["by a callback", "before the run"])
def test_layers_that_are_frozen_and_unfrozen_at_run_time_train_as_by_hand(
    make_parts, small, train, is_frozen, before_the_run
):
    parts = make_parts()
    parts["model"][0].requires_grad_(not before_the_run)
    parts["callbacks"] = {"freezes": Freezes({"first": parts["model"][0]}, is_frozen)}
    train(parts, max_epochs=1, grad_clip_norm=0.1)
    assert same(parts["model"], with_first_layer(small, is_frozen), rtol=1e-6, atol=0)
    assert not same(parts["model"], with_first_layer(small, never), rtol=1e-3)
    assert all(p.grad is None for p in parts["model"].parameters())


@pytest.mark.parametrize("stop_at", [3, 6])
def test_a_resumed_run_finds_frozen_what_was_frozen(make_parts, small, train, stop_at):
    def go(**changes):
        parts = make_parts(**changes)
        freezes = Freezes({"first": parts["model"][0]}, first_layer_in_the_beginning)
        parts["callbacks"] = {"freezes": freezes}
        train(parts, max_steps=12 if "resume_from" in changes else stop_at, grad_clip_norm=0.1)
        return parts

    stopped = go()["run"].checkpoints.latest()
    resumed = go(resume_from=stopped)["model"]
    assert same(resumed, with_first_layer(small, first_layer_in_the_beginning), rtol=1e-6, atol=0)


def whole_networks_in_turn(name, step):
    return step < 4 if name == "actor" else step >= 8


def the_critic_alone(name, step):
    return step >= 3 if name == "actor" else step == 6


@pytest.mark.parametrize("is_frozen", [whole_networks_in_turn, the_critic_alone])
def test_networks_that_are_frozen_and_unfrozen_leave_the_other_optimizer_its_own_gradients(
    make_parts, small, train, is_frozen
):
    models = two_networks(small)
    train(two_optimizers(make_parts, small, models, is_frozen), max_epochs=1)
    mine = in_turn_by_hand(small, is_frozen)
    for name in models:
        assert same(models[name], mine[name], **EXACT)
        assert not same(models[name], in_turn_by_hand(small, never)[name], rtol=1e-3)


def test_float16_has_nothing_to_unscale_where_all_is_frozen(make_parts, small, train):
    models = two_networks(small)
    parts = two_optimizers(make_parts, small, models, lambda name, step: name == "actor", precision="fp16-mixed")
    train(parts, max_epochs=1)
    assert same(models["actor"], two_networks(small)["actor"], **EXACT)
    assert not same(models["critic"], two_networks(small)["critic"], rtol=1e-3)


def two_optimizers(make_parts, small, models, is_frozen, **changes):
    factory = {"actor": small.Sgd(lr=0.1), "critic": small.Sgd()}
    callbacks = {"freezes": Freezes(models, is_frozen)}
    return make_parts(models=models, algorithm=TwoNetworks(), optimizer_factory=factory, callbacks=callbacks, **changes)


def in_turn_by_hand(small, is_frozen):
    """Train two networks by hand; one that is frozen makes no step."""
    mine = two_networks(small)
    actor = torch.optim.SGD(mine["actor"].parameters(), lr=0.1, momentum=0.9)
    critic = torch.optim.SGD(mine["critic"].parameters(), lr=0.05, momentum=0.9)
    for step, batch in enumerate(small.Batches()):
        if not is_frozen("critic", step):
            critic.zero_grad()
            nn.functional.mse_loss(mine["critic"](batch["x"]), batch["y"]).backward()
            critic.step()
        if step % 2 == 0 and not is_frozen("actor", step):
            actor.zero_grad()
            mine["critic"](mine["actor"](batch["x"])).square().mean().backward()
            actor.step()
    return mine
