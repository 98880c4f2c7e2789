"""A policy acts with the weights that a callback keeps for it, where one does."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from offline_trainer_core import CheckpointError
from offline_trainer_core.networks import POLICY_WEIGHTS, with_policy_weights

KEPT = {POLICY_WEIGHTS: {"actor": {"weight": torch.full((1, 2), 7.0)}}}


@pytest.fixture
def state():
    return {"models.actor": nn.Linear(2, 1).state_dict(), "callbacks.other": {"seen": 3}, "counters": {}}


def test_without_any_the_weights_are_those_of_training(state):
    assert with_policy_weights(state, "here") == state


@pytest.mark.parametrize("section", ["callbacks.ema", "plugins.average"])
def test_those_that_are_kept_take_the_place_of_those_of_training(state, section):
    before = {name: value.clone() for name, value in state["models.actor"].items()}
    actor = with_policy_weights({**state, section: KEPT}, "here")["models.actor"]
    assert torch.equal(actor["weight"], torch.full((1, 2), 7.0))
    assert torch.equal(actor["bias"], before["bias"]), "what is not kept is the model's own"
    assert torch.equal(state["models.actor"]["weight"], before["weight"]), "the checkpoint is left as it is"


def test_the_versions_of_modules_stay_with_their_state(state):
    actor = with_policy_weights({**state, "callbacks.ema": KEPT}, "here")["models.actor"]
    assert isinstance(actor, OrderedDict)
    assert actor._metadata == state["models.actor"]._metadata


def test_an_average_that_has_not_begun_changes_nothing(state):
    assert (
        with_policy_weights({**state, "callbacks.ema": {POLICY_WEIGHTS: {}}}, "here")["models.actor"]
        is state["models.actor"]
    )


def test_two_that_keep_some_are_refused(state):
    with pytest.raises(CheckpointError, match=r"^here: callbacks\.a and callbacks\.b each have weights"):
        with_policy_weights({**state, "callbacks.a": KEPT, "callbacks.b": KEPT}, "here")


def test_weights_of_what_no_model_has_are_refused(state):
    kept = {POLICY_WEIGHTS: {"actor": {"gate": torch.ones(1)}}}
    with pytest.raises(CheckpointError, match=r"^here: callbacks\.ema has weights of gate, which the model has not"):
        with_policy_weights({**state, "callbacks.ema": kept}, "here")
