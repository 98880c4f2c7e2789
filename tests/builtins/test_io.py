from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from offline_trainer_core.errors import DataError
from ot_builtins.io import Mapping


@dataclass
class Transition:
    obs: dict[str, torch.Tensor]
    action: torch.Tensor


STATE, IMAGE, ACTION = torch.zeros(4, 2), torch.ones(4, 3), torch.ones(4, 1)
BATCHES = [
    {"obs": {"state": STATE, "image": IMAGE}, "action": ACTION},
    Transition({"state": STATE, "image": IMAGE}, ACTION),
]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("state", ["obs.state", ["obs", "state"]])
def test_arguments_and_targets_come_from_their_paths(batch: Any, state: Any) -> None:
    io = Mapping(model_kwargs={"x": state}, targets={"y": "action"}, model_args=["obs.image"])
    inputs, targets, meta = io.split(batch, stage="train")
    assert inputs.args[0] is IMAGE
    assert inputs.kwargs["x"] is STATE
    assert targets["y"] is ACTION
    assert (len(inputs.args), set(inputs.kwargs), set(targets), dict(meta)) == (1, {"x"}, {"y"}, {})


def test_a_path_may_have_indices_and_keys_that_are_numbers() -> None:
    io = Mapping({"first": "pair.0", "named": ["cameras", 1]})
    inputs, _, _ = io.split({"pair": (STATE, IMAGE), "cameras": {"1": ACTION}}, stage="train")
    assert inputs.kwargs["first"] is STATE
    assert inputs.kwargs["named"] is ACTION


def test_a_key_with_dots_is_written_as_a_list() -> None:
    inputs, _, _ = Mapping({"x": ["observation.state"]}).split({"observation.state": STATE}, stage="train")
    assert inputs.kwargs["x"] is STATE


def test_prediction_does_not_look_for_targets() -> None:
    io = Mapping({"x": "obs"}, {"y": "action"})
    assert io.split({"obs": STATE}, stage="predict")[1] == {}
    with pytest.raises(DataError, match=r"targets.y: no 'action': the batch has obs"):
        io.split({"obs": STATE}, stage="val")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("obs.stat", r"model_kwargs.x: no 'obs.stat': obs has state, image"),
        ("observation", r"no 'observation': the batch has obs, action"),
        ("obs.state.0", r"no 'obs.state.0': obs.state has no parts: it is a Tensor"),
    ],
)
def test_a_missing_path_is_an_error_that_lists_what_there_is(path: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Mapping({"x": path}).split(BATCHES[0], stage="train")
