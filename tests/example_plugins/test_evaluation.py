from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from offline_trainer_core import RunInfo
from ot_example_plugins.evaluation import ActionError
from ot_example_plugins.policy import PendulumSwingUp


class Constant:
    def __init__(self, action: float) -> None:
        self.action = action

    def act(self, observation: dict[str, Tensor]) -> Tensor:
        return torch.full((len(observation["observation"]), 1), self.action)


def test_scores_are_of_the_recorded_actions(
    swing_up_file: Path, swing_ups: dict[str, np.ndarray], tmp_path: Path
) -> None:
    policy = PendulumSwingUp()
    actions = policy.act({"observation": torch.from_numpy(swing_ups["observation"])}).numpy()
    error = actions - swing_ups["action"]
    scores = ActionError(str(swing_up_file), batch_size=128).evaluate(policy, run=RunInfo("r", tmp_path), step=0)
    assert scores["action_mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert scores["action_r2"] == pytest.approx(1 - np.square(error).mean() / swing_ups["action"].var(), rel=1e-5)


def test_the_mean_action_explains_nothing(
    swing_up_file: Path, swing_ups: dict[str, np.ndarray], tmp_path: Path
) -> None:
    mean = float(swing_ups["action"].mean())
    scores = ActionError(str(swing_up_file)).evaluate(Constant(mean), run=RunInfo("r", tmp_path), step=0)
    assert scores["action_r2"] == pytest.approx(0, abs=1e-5)
    assert scores["action_mae"] == pytest.approx(np.abs(swing_ups["action"] - mean).mean(), rel=1e-5)
