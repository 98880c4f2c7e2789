from __future__ import annotations

import pytest
import torch

from ot_example_plugins.io import Concatenate


def test_fields_are_flattened_and_joined_in_order() -> None:
    batch = {"obs": {"state": torch.randn(4, 2, 3)}, "goal": torch.randn(4, 2), "action": torch.randn(4, 1)}
    inputs, target, meta = Concatenate(["obs.state", "goal"]).split(batch, stage="train")
    (vector,) = inputs.args
    assert torch.equal(vector, torch.cat([batch["obs"]["state"].reshape(4, 6), batch["goal"]], dim=1))
    assert target is batch["action"]
    assert (dict(inputs.kwargs), meta) == ({}, {})


def test_a_policy_in_its_environment_needs_no_action() -> None:
    observation = {"state": torch.randn(4, 3)}
    inputs, target, _ = Concatenate(["state"]).split(observation, stage="predict")
    assert torch.equal(inputs.args[0], observation["state"])
    assert target is None
    with pytest.raises(KeyError, match="no 'action': the batch has state"):
        Concatenate(["state"]).split(observation, stage="train")
