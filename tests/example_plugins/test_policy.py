from __future__ import annotations

from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import torch

from ot_example_plugins.policy import PendulumSwingUp


def returns(act: Any, episodes: int = 50) -> np.ndarray:
    with closing(gymnasium.make_vec("Pendulum-v1", num_envs=episodes, vectorization_mode="sync")) as environment:
        observation, _ = environment.reset(seed=0)
        total = np.zeros(episodes)
        for _ in range(200):
            observation, reward, *_ = environment.step(act(torch.as_tensor(observation)))
            total += reward
    return total


def test_it_swings_the_pendulum_up_from_every_start() -> None:
    policy = PendulumSwingUp()
    scores = returns(lambda observation: policy.act({"observation": observation}).numpy())
    assert scores.mean() > -160
    assert scores.min() > -400
    idle = returns(lambda observation: np.zeros((50, 1), dtype=np.float32))
    assert idle.mean() < -1000


def test_it_acts_on_the_latest_of_a_history() -> None:
    torch.manual_seed(0)
    history = torch.randn(4, 5, 3)
    policy = PendulumSwingUp(field="state")
    actions = policy.act({"state": history})
    assert actions.shape == (4, 1)
    assert torch.equal(actions, policy.act({"state": history[:, -1]}))
    assert not torch.equal(actions, policy.act({"state": history[:, 0]}))
    assert actions.abs().max() <= 2
