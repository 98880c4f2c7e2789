"""What happens to a model before it trains: shapes, initial weights, freezing."""

from __future__ import annotations

import logging
import re

import pytest
import torch
from torch import nn

from offline_trainer_core import CheckpointError, ComponentError
from offline_trainer_core.engine import LoopSettings, Session
from offline_trainer_core.networks import INITIALISATIONS, ModelOptions, initialise, is_lazy, load_weights_into
from offline_trainer_core.plan.sections import MODEL_OPTIONS


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.Flatten(), nn.Linear(8, 2))


def test_the_check_knows_every_initialisation():
    assert set(re.findall(r"'(\w+)'", MODEL_OPTIONS["init"].annotation)) == set(INITIALISATIONS)


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_an_initialisation_is_torchs_own_for_kernels_and_matrices_and_zero_for_biases(name):
    model, by_hand = network(), network()
    torch.manual_seed(3)
    initialise(model, name)
    torch.manual_seed(3)
    for layer in (by_hand[0], by_hand[3]):
        INITIALISATIONS[name](layer.weight)
    for ours, reference, untouched in ((0, 0, 0), (3, 3, 3)):
        assert torch.equal(model[ours].weight, by_hand[reference].weight)
        assert not torch.equal(model[ours].weight, network()[untouched].weight)
        assert not model[ours].bias.any()
    assert torch.equal(model[1].weight, torch.ones(4)), "gains of norms stay"


@pytest.mark.parametrize(
    ("name", "deviation"),
    [("normal", 0.02), ("kaiming_normal", (2 / 400) ** 0.5), ("xavier_normal", (2 / 700) ** 0.5)],
)
def test_normal_initialisations_have_their_deviation(name, deviation):
    layer = nn.Linear(400, 300)
    initialise(layer, name)
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.02)


def test_orthogonal_rows_are_orthogonal():
    layer = nn.Linear(6, 4)
    initialise(layer, "orthogonal")
    torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(4))


def test_an_unknown_initialisation_is_refused_with_those_that_there_are():
    with pytest.raises(ComponentError, match="no initialisation 'kaiming'; there are: kaiming_normal"):
        initialise(network(), "kaiming")


class Both:
    """Trains `head` on what `trunk` makes."""

    def setup(self, *, models):
        self.models = models
        self.modes = []

    def update(self, batch, step):
        self.modes.append(self.models["trunk"].training)
        loss = nn.functional.mse_loss(self.models["head"](self.models["trunk"](batch["x"])), batch["y"])
        step.optimize(step.optimizers, loss)
        return {"loss": loss}

    def validate(self, batch):
        return {"loss": batch["y"].mean()}, None, None


def trunk_and_head():
    torch.manual_seed(2)
    return {"trunk": nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)), "head": nn.Linear(4, 2)}


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_model_is_bit_identical_after_training_and_stays_in_eval_mode(make_parts, small, train, frozen):
    models, algorithm = trunk_and_head(), Both()
    options = {"trunk": ModelOptions(freeze=True)} if frozen else {}
    data = small.Data(val=small.Batches(count=2))
    train(
        make_parts(models=models, algorithm=algorithm, model_options=options, datamodule=data), max_epochs=2
    ).validate()
    unchanged = [
        torch.equal(now, before)
        for now, before in zip(
            models["trunk"].state_dict().values(), trunk_and_head()["trunk"].state_dict().values(), strict=True
        )
    ]
    assert all(unchanged) == frozen
    assert any(algorithm.modes) != frozen
    assert models["trunk"].training != frozen
    assert not torch.equal(models["head"].weight, trunk_and_head()["head"].weight)


def test_a_frozen_model_is_not_wrapped_and_not_optimised(make_parts, train):
    wrapped = []

    class Strategy:
        def wrap(self, model, device):
            wrapped.append(model)
            return model

    models = trunk_and_head()
    parts = make_parts(
        models=models, algorithm=Both(), model_options={"trunk": ModelOptions(freeze=True)}, strategy=Strategy()
    )
    session = train(parts, max_steps=1)
    assert wrapped == [models["head"]]
    owned = {id(p) for group in session.context.optimizer.param_groups for p in group["params"]}
    assert owned == {id(p) for p in models["head"].parameters()}


def test_a_model_starts_from_given_weights(make_parts, small):
    weights = {name: torch.full_like(tensor, 0.5) for name, tensor in small.network().state_dict().items()}
    parts = make_parts(model_options={"model": ModelOptions(init="orthogonal", weights=weights)})
    Session(parts, LoopSettings(max_steps=1))
    assert all(torch.equal(tensor, weights[name]) for name, tensor in parts["model"].state_dict().items())


def test_weights_that_do_not_fit_are_named():
    layer = nn.Linear(3, 2)
    weights = {"weight": torch.zeros(2, 4), "bias": torch.zeros(2)}
    options = ModelOptions(weights=weights, weights_source="old.safetensors", strict=False)
    message = r"old.safetensors does not fit model 'actor': weight: \(2, 4\) in the file, \(2, 3\) here"
    with pytest.raises(CheckpointError, match=message):
        load_weights_into(layer, "actor", options)


def test_missing_and_unexpected_weights_are_errors_unless_told_otherwise(caplog):
    weights = {"weight": torch.ones(2, 3), "scale": torch.ones(1)}
    message = r"missing \['bias'\], unexpected \['scale'\]"
    layer = nn.Linear(3, 2)
    bias = layer.bias.clone()
    with pytest.raises(CheckpointError, match=f"{message}; 'strict: false' loads what fits"):
        load_weights_into(layer, "actor", ModelOptions(weights=weights, weights_source="old"))
    assert not torch.equal(layer.weight, weights["weight"])
    with caplog.at_level(logging.WARNING):
        load_weights_into(layer, "actor", ModelOptions(weights=weights, weights_source="old", strict=False))
    assert torch.equal(layer.weight, weights["weight"])
    assert torch.equal(layer.bias, bias)
    assert "missing ['bias'], unexpected ['scale']" in caplog.text


def lazy():
    return nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.Tanh(), nn.Linear(8, 2))


def test_open_dimensions_are_filled_from_a_batch_before_optimizers_see_them(make_parts, small, train):
    class Materializing(small.Fit):
        def materialize(self, *, batch, models):
            models["model"](batch["x"])

    parts = make_parts(models={"model": lazy()}, algorithm=Materializing())
    assert is_lazy(parts["model"])
    session = Session(parts, LoopSettings(max_steps=1))
    assert parts["model"][0].weight.shape == (8, 3)
    owned = [p for group in session.context.optimizer.param_groups for p in group["params"]]
    assert all(any(p is q for q in owned) for p in parts["model"].parameters())
    assert not is_lazy(parts["model"])
    assert parts["model"].training
    assert parts["model"][1].num_batches_tracked == 0, "the batch is not counted as training"


def test_open_dimensions_that_nothing_fills_are_explained(make_parts, small):
    with pytest.raises(ComponentError, match=r"'model' has dimensions left open .*Fit has no 'materialize'"):
        Session(make_parts(models={"model": lazy()}), LoopSettings(max_steps=1))

    class Idle(small.Fit):
        def materialize(self, *, batch):
            return None

    with pytest.raises(ComponentError, match="'model': some dimensions are still open after one batch"):
        Session(make_parts(models={"model": lazy()}, algorithm=Idle()), LoopSettings(max_steps=1))
