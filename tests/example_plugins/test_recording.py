from __future__ import annotations

from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from offline_trainer_core import DataError
from ot_example_plugins import recording
from ot_example_plugins.policy import PendulumSwingUp


def test_a_recording_has_what_offline_rl_needs(swing_ups: dict[str, np.ndarray]) -> None:
    shapes = {name: (array.shape, str(array.dtype)) for name, array in swing_ups.items()}
    assert shapes == {
        "observation": ((600, 3), "float32"),
        "action": ((600, 1), "float32"),
        "reward": ((600,), "float32"),
        "next_observation": ((600, 3), "float32"),
        "terminated": ((600,), "bool"),
        "truncated": ((600,), "bool"),
        "episode_ends": ((3,), "int64"),
    }
    assert swing_ups["episode_ends"].tolist() == [200, 400, 600]
    assert not swing_ups["terminated"].any()
    assert np.flatnonzero(swing_ups["truncated"]).tolist() == [199, 399, 599]


def test_episodes_run_on_from_their_observations(swing_ups: dict[str, np.ndarray]) -> None:
    follows = (swing_ups["observation"][1:] == swing_ups["next_observation"][:-1]).all(axis=1)
    assert np.flatnonzero(~follows).tolist() == [199, 399]


def test_the_simulator_gives_the_recorded_rewards_for_the_recorded_actions(swing_ups: dict[str, np.ndarray]) -> None:
    with gymnasium.make("Pendulum-v1") as environment:
        environment.reset(seed=6)
        replayed = [environment.step(action)[1] for action in swing_ups["action"][200:400]]
    np.testing.assert_allclose(replayed, swing_ups["reward"][200:400], rtol=1e-5)


def test_noise_is_as_large_as_asked_for() -> None:
    class Idle:
        def act(self, observation: dict[str, torch.Tensor]) -> torch.Tensor:
            return torch.zeros(1, 1)

    noisy = recording.record("Pendulum-v1", Idle(), episodes=5, noise=0.1)
    assert noisy["action"].std() == pytest.approx(0.1 * 2, rel=0.05)
    assert not recording.record("Pendulum-v1", Idle(), episodes=1)["action"].any()


def test_the_same_seed_records_the_same(swing_ups: dict[str, np.ndarray]) -> None:
    again = recording.record("Pendulum-v1", PendulumSwingUp(), episodes=3, noise=0.1, seed=5)
    other = recording.record("Pendulum-v1", PendulumSwingUp(), episodes=3, noise=0.1, seed=6)
    assert all(np.array_equal(again[name], swing_ups[name]) for name in again)
    assert not np.array_equal(other["action"], swing_ups["action"])


def test_environments_without_vectors_are_refused() -> None:
    with pytest.raises(DataError, match=r"CartPole-v1 cannot be recorded.*Discrete\(2\)"):
        recording.record("CartPole-v1", PendulumSwingUp(), episodes=1)


def test_a_file_gives_back_what_was_written(swing_ups: dict[str, np.ndarray], swing_up_file: Path) -> None:
    read = recording.read(swing_up_file)
    assert all(np.array_equal(read[name], array) for name, array in swing_ups.items())
    assert [path.name for path in swing_up_file.parent.iterdir()] == [swing_up_file.name]


def test_what_is_no_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no recording at .*missing\.npz: 'ot record' makes one"):
        recording.read(tmp_path / "missing.npz")
    np.savez(tmp_path / "other.npz", observation=np.zeros(3))
    with pytest.raises(DataError, match=r"other\.npz is no recording: action"):
        recording.read(tmp_path / "other.npz")
