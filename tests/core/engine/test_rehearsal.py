"""One real batch through everything: what is said of it is what happened."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offline_trainer_core.engine import rehearse
from offline_trainer_core.networks import ModelOptions


@pytest.fixture
def parts(make_parts, small):
    return make_parts(datamodule=small.Data(val=small.Batches(count=2)), normalize={"x": "mean_std"})


def test_every_hop_has_the_shapes_of_the_batch(parts):
    hops = {hop.name: {name: row for name, *row in hop.rows} for hop in rehearse(parts).hops}
    rows = ["(4, 3)", "float32"]
    assert hops["batch"] == {"x": rows, "y": ["(4, 2)", "float32"]}
    assert hops["normalized batch"]["x"] == rows
    assert hops["model: inputs"] == {"0": rows}
    assert list(hops["model: outputs"].values()) == [["(4, 2)", "float32"]]


def test_losses_are_those_of_the_first_step(parts, small, make_parts, train):
    rehearsal = rehearse(parts)
    log = small.Recorder()
    train(make_parts(normalize={"x": "mean_std"}, loggers={"log": log}), max_steps=1, log_every=1)
    assert rehearsal.logs["loss"] == log.rows[0][2]["loss"]
    assert rehearsal.validation["loss"] > 0
    assert rehearsal.steps_per_epoch == 12
    assert rehearsal.peak_memory > 1_000_000


def test_parameters_are_counted_with_those_that_are_trained(make_parts, small):
    models = {"policy": small.network(), "encoder": nn.Linear(3, 3)}

    class OnlyPolicy(small.Fit):
        def setup(self, *, models, io, loss):
            self.model, self.io, self.loss = models["policy"], io, loss

        def update(self, batch, step):
            loss, _, _ = self.score(batch, "train")
            step.optimize(step.optimizers, loss)
            return {"loss": loss}

    options = {"encoder": ModelOptions(freeze=True)}
    rehearsal = rehearse(make_parts(models=models, algorithm=OnlyPolicy(), model_options=options))
    assert rehearsal.parameters == {"policy": (50, 50), "encoder": (12, 0)}


def test_nothing_is_written_and_nobody_is_told(make_parts, tmp_path):
    class Refuse:
        def on_fit_start(self):
            raise AssertionError("called")

        def post_optim(self):
            raise AssertionError("called")

        def log_metrics(self, metrics, *, step, stage):
            raise AssertionError("called")

    rehearse(make_parts(callbacks={"refuse": Refuse()}, loggers={"refuse": Refuse()}))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_does_not_fit_is_found(make_parts):
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        rehearse(make_parts(models={"model": nn.Linear(5, 2)}))


def test_the_hooks_that_watch_models_are_taken_away(parts):
    rehearse(parts)
    assert not parts["model"]._forward_hooks
    assert isinstance(parts["model"](torch.zeros(1, 3)), torch.Tensor)
