"""`cb.ema`: the average is what it says, judges the policy, and leaves training alone."""

from __future__ import annotations

import pytest
import torch

from offline_trainer_core import CheckpointError, ComponentError
from ot_builtins.callbacks.ema import Ema
from ot_builtins.callbacks.model_checkpoint import ModelCheckpoint


class Watch:
    """Keeps the weights after every step, and those that validation saw."""

    def __init__(self) -> None:
        self.after_steps, self.at_validation = [], []

    def on_fit_start(self, context):
        self.after_steps.append(weights(context.model))

    def on_train_step_end(self, context):
        self.after_steps.append(weights(context.model))

    def on_validation_start(self, context):
        self.at_validation.append(weights(context.model))


def weights(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_average_follows_the_recursion(fit):
    ema, watch = Ema(decay=0.8), Watch()
    fit({"ema": ema, "watch": watch}, max_epochs=1)
    expected, *later = watch.after_steps
    for step in later:
        expected = {name: torch.lerp(expected[name], step[name], 1.0 - 0.8) for name in step}
    assert equal(ema.averages["policy"], expected)
    assert not equal(expected, later[-1])


def test_layers_that_are_unfrozen_later_are_averaged_too(fit):
    class Unfreezes:
        def on_fit_start(self, context):
            context.model[0].requires_grad_(False)

        def on_train_step_end(self, context):
            context.model[0].requires_grad_(context.state.global_step >= 4)

    ema, watch = Ema(decay=0.8), Watch()
    fit({"unfreezes": Unfreezes(), "ema": ema, "watch": watch}, max_epochs=1)
    expected, *later = watch.after_steps
    for step in later:
        expected = {name: torch.lerp(expected[name], step[name], 1.0 - 0.8) for name in step}
    assert equal(ema.averages["policy"], expected)
    assert not torch.equal(later[4]["0.weight"], later[3]["0.weight"])
    assert torch.equal(later[3]["0.weight"], later[0]["0.weight"])


@pytest.mark.parametrize("every", [{"val_every_n_epochs": 1}, {"val_every_n_epochs": None, "val_every_n_steps": 8}])
def test_validation_sees_the_average_of_the_same_step(fit, every):
    ema, watch = Ema(decay=0.8), Watch()
    fit({"ema": ema, "watch": watch}, max_epochs=1, **every)
    assert equal(watch.at_validation[-1], ema.averages["policy"])


def test_training_with_an_average_ends_with_the_same_bits_as_without(fit, tmp_path):
    plain = fit({}, folder=tmp_path / "plain", dropout=0.3)
    averaged = fit({"ema": Ema(0.9)}, folder=tmp_path / "averaged", dropout=0.3)
    ours, theirs = averaged.model.state_dict(), plain.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert averaged.context.last_val_logs != plain.context.last_val_logs


def test_evaluation_sees_the_average_and_gives_the_weights_back(fit):
    class Look:
        def evaluate(self, policy, *, run, step):
            self.seen = weights(policy.module.algorithm._module)
            return {}

    ema, look = Ema(decay=0.8), Look()
    run = fit({"ema": ema}, evaluations={"env": look})
    assert equal(look.seen, ema.averages["policy"])
    assert not equal(look.seen, weights(run.model))


def test_before_start_step_there_is_no_average_and_then_it_is_a_copy(fit):
    ema, watch = Ema(decay=0.5, start_step=16), Watch()
    fit({"ema": ema, "watch": watch}, max_epochs=2)
    assert equal(watch.at_validation[0], watch.after_steps[8])
    assert equal(ema.averages["policy"], watch.after_steps[16])


def test_a_failing_validation_leaves_the_weights_in_the_model(fit):
    class Fail:
        def on_validation_end(self, context):
            raise RuntimeError("stop here")

    class Model:
        def on_fit_start(self, context):
            self.model = context.model

    keep, watch = Model(), Watch()
    with pytest.raises(RuntimeError, match="stop here"):
        fit({"ema": Ema(0.5), "fail": Fail(), "watch": watch, "keep": keep})
    assert equal(weights(keep.model), watch.after_steps[-1])


def test_resuming_goes_on_with_the_same_bits_whatever_the_order_of_callbacks(fit, tmp_path):
    whole = Ema(0.9)
    fit({"ema": whole}, folder=tmp_path / "whole", max_epochs=3)
    save = {"save": ModelCheckpoint(every_n_steps=13, save_last=False)}
    fit({**save, "ema": Ema(0.9)}, folder=tmp_path / "parts", max_epochs=2)
    resumed = Ema(0.9)
    run = fit({"ema": resumed}, folder=tmp_path / "parts", max_epochs=3, resume_from="step_00000013")
    assert run.result.state.global_step == 24
    assert equal(resumed.averages["policy"], whole.averages["policy"])


def test_a_saved_average_of_another_model_is_refused(fit):
    ema = Ema()
    ema.load_state_dict({"policy_weights": {"policy": {"0.weight": torch.zeros(3)}}})
    with pytest.raises(CheckpointError, match=r"does not fit the models of this run: policy\.0"):
        fit({"ema": ema})


@pytest.mark.parametrize("decay", [1.0, -0.1])
def test_a_decay_that_is_none_is_refused(decay):
    with pytest.raises(ComponentError, match="decay lies in"):
        Ema(decay)
