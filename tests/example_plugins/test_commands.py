from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from offline_trainer_core import ComponentError, UsageError
from ot_example_plugins import recording
from ot_example_plugins.commands import record
from ot_example_plugins.policy import PendulumSwingUp

EXPERT = ["--policy", "policy.examples.pendulum_swing_up"]


def test_it_records_what_an_installed_policy_does(tmp_path: Path) -> None:
    out = tmp_path / "demos" / "pendulum.npz"
    options = ["--env", "Pendulum-v1", "--episodes", "2", "--noise", "0.1", "--seed", "3", "--out", str(out)]
    result = CliRunner().invoke(record, [*options, *EXPERT], catch_exceptions=False)
    expected = recording.record("Pendulum-v1", PendulumSwingUp(), episodes=2, noise=0.1, seed=3)
    assert all(np.array_equal(array, expected[name]) for name, array in recording.read(out).items())
    mean = torch.from_numpy(expected["reward"]).sum() / 2
    assert result.output == f"{out}: 2 episodes, 400 transitions, mean return {mean:.1f}\n"


def test_an_unknown_environment_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"--env Pendulun-v1: .*Pendulum"):
        CliRunner().invoke(record, ["--env", "Pendulun-v1", *EXPERT], catch_exceptions=False)


def test_an_unknown_policy_is_named_with_the_nearest_one() -> None:
    arguments = ["--env", "Pendulum-v1", "--policy", "policy.examples.pendulum_swingup"]
    with pytest.raises(ComponentError, match=r"did you mean 'policy\.examples\.pendulum_swing_up'"):
        CliRunner().invoke(record, arguments, catch_exceptions=False)
