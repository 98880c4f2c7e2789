"""`algo.supervised`: one loss, one model of several, its policy in the units of the data."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offline_trainer_core import ComponentError, LossOutput
from ot_builtins.supervised import Supervised


class Remember:
    def on_fit_end(self, context):
        self.policy = context.policy()


def test_acting_inverts_the_normalization_of_actions_and_applies_that_of_observations(small_run):
    remember = Remember()
    fields = {"x": "mean_std", "y": "min_max"}
    run = small_run(max_steps=3, normalize=fields, callbacks={"remember": remember})
    x, stats = run.data.x[12:], run.data.stats
    low, high = stats["y"]["min"], stats["y"]["max"]
    with torch.no_grad():
        normalized = run.model((x - stats["x"]["mean"]) / stats["x"]["std"])
    expected = (normalized + 1) / 2 * (high - low) + low
    torch.testing.assert_close(remember.policy.act({"x": x}), expected)
    assert not torch.allclose(remember.policy.act({"x": x}), normalized)


def test_logs_of_the_loss_come_beside_it(small_run):
    class Detailed:
        def __call__(self, *, outputs, targets, batch, stage):
            error = outputs - targets["y"]
            return LossOutput(error.square().mean(), {"bias": error.mean(), stage: 1.0})

    run = small_run(max_steps=6, loss=Detailed())
    assert {"train/loss", "train/bias", "train/train", "val/bias", "val/val"} <= run.result.metrics.keys()


def two_models():
    torch.manual_seed(3)
    return {"encoder": nn.Linear(3, 2), "policy": nn.Linear(3, 2)}


def test_it_trains_the_model_that_it_names(small_run):
    models = two_models()
    run = small_run(max_steps=2, models=models, algorithm=Supervised(model="policy"))
    assert run.result.state.global_step == 2
    assert torch.equal(models["encoder"].weight, two_models()["encoder"].weight)
    assert not torch.equal(models["policy"].weight, two_models()["policy"].weight)


@pytest.mark.parametrize("name", [None, "plicy"])
def test_several_models_need_a_choice(small_run, name):
    with pytest.raises(ComponentError, match=r"model is .*; it must be one of: encoder, policy"):
        small_run(max_steps=1, models=two_models(), algorithm=Supervised(model=name))


@pytest.mark.parametrize("missing", ["io", "loss"])
def test_it_needs_io_and_loss(small_run, missing):
    with pytest.raises(ComponentError, match="needs the sections 'io' and 'loss'"):
        small_run(max_steps=1, **{missing: None})


def test_open_dimensions_are_filled_by_running_the_model_once(small_run):
    run = small_run(max_steps=1, models={"model": nn.LazyLinear(2)})
    assert run.model.weight.shape == (2, 3)
