"""Environments whose episodes can be computed by hand."""

from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from offline_trainer_core.types import RunInfo


class Walk(gymnasium.Env):
    """A point that moves by its action in [-1, 1]; the reward is the action, the goal lies at 5.

    An episode of seed s begins at a random place and ends at the goal or after 3 + s % 3 steps.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012 - as Gymnasium declares it
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def __init__(self, render_mode=None, observe="box"):
        self.render_mode = render_mode
        place = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.observe = observe
        self.observation_space = gymnasium.spaces.Dict({"place": place}) if observe == "dict" else place

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.time, self.last = self.np_random.normal(size=2), 0, 3 + seed % 3
        return self._observation(), {}

    def step(self, action):
        assert self.action_space.contains(action), f"{action!r} is no action"
        self.place, self.time = self.place + action, self.time + 1
        info = {"far": float(self.place[0]), "at_goal": bool(self.place[0] > 5.0)}
        return self._observation(), float(action[0]), info["at_goal"], self.time == self.last, info

    def _observation(self):
        return {"place": self.place.copy()} if self.observe == "dict" else self.place.copy()

    def render(self):
        return np.full((33, 47, 3), min(255, 50 * self.time), np.uint8)


@pytest.fixture(autouse=True)
def walk():
    gymnasium.register("Walk-v0", Walk, max_episode_steps=100)
    yield "Walk-v0"
    del gymnasium.registry["Walk-v0"]


@pytest.fixture
def run_info(tmp_path: Path) -> RunInfo:
    return RunInfo("walk", tmp_path, device=torch.device("cpu"))
