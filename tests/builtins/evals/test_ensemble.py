"""Temporal ensembling is the formula of Zhao et al. 2023, in an environment too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from offline_trainer_core.errors import ComponentError
from ot_builtins.evals.ensemble import TemporalEnsemble
from ot_builtins.evals.gymnasium import Gymnasium
from ot_builtins.readers import read_gymnasium

gymnasium = pytest.importorskip("gymnasium", reason="needs ot-builtins[gymnasium]")


def by_formula(chunks, t, m):
    """Zhao et al. 2023, algorithm 2: the weighted mean of everything that was predicted for step `t`."""
    length = len(chunks[0])
    predicted = [chunks[made][t - made] for made in range(max(0, t - length + 1), t + 1)]  # the oldest first
    weights = [np.exp(-m * i) for i in range(len(predicted))]
    return sum(w * p for w, p in zip(weights, predicted, strict=True)) / sum(weights)


@pytest.mark.parametrize("m", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("length", [1, 3, 20])
def test_an_action_is_the_mean_of_the_formula(m, length):
    chunks = np.random.default_rng(0).normal(size=(8, 2, length, 3))
    ensemble = TemporalEnsemble(m)
    for t in range(8):
        action = ensemble.action(chunks[t])
        for row in range(2):
            np.testing.assert_allclose(action[row], by_formula(chunks[:, row], t, m))


def test_the_oldest_prediction_weighs_most():
    ensemble = TemporalEnsemble(1.0)
    ensemble.action(np.array([[[0.0], [0.0]]]))
    assert ensemble.action(np.array([[[1.0], [1.0]]])).item() == pytest.approx(np.exp(-1) / (1 + np.exp(-1)))


class Chunks:
    """Chunks of four that depend on the observation."""

    def act(self, observation):
        place = observation["observation"]
        return torch.stack([torch.sin(place + t) / (t + 1) for t in range(4)], dim=1)


def played_by_hand(index, m):
    env = gymnasium.make("Walk-v0")
    observation, _ = env.reset(seed=index)
    chunks, total, done = [], 0.0, False
    while not done:
        seen = torch.from_numpy(observation[None].astype(np.float32))
        chunks.append(Chunks().act({"observation": seen})[0].numpy())
        observation, reward, terminated, truncated, _ = env.step(
            by_formula(chunks, len(chunks) - 1, m).astype("float32")
        )
        total, done = total + reward, terminated or truncated
    return total


@pytest.mark.parametrize("num_envs", [1, 3])
def test_scores_are_those_of_a_loop_written_by_hand(run_info, walk, num_envs):
    evaluation = Gymnasium(walk, episodes=5, num_envs=num_envs, temporal_ensemble=0.1, plot=False)
    scores = evaluation.evaluate(Chunks(), run=run_info, step=0)
    assert scores["return_mean"] == pytest.approx(np.mean([played_by_hand(i, 0.1) for i in range(5)]), rel=1e-5)
    other = Gymnasium(walk, episodes=5, action_horizon=1, plot=False).evaluate(Chunks(), run=run_info, step=0)
    assert other["return_mean"] != pytest.approx(scores["return_mean"], rel=1e-5)


def test_a_horizon_beside_it_is_refused_by_the_check_and_by_the_component(walk):
    both = {"action_horizon": 4, "temporal_ensemble": 0.01}
    ((where, code, _, _),) = read_gymnasium(both).problems
    assert (where, code) == ("temporal_ensemble", "conflicting-keys")
    assert read_gymnasium({**both, "action_horizon": None}).problems == []
    with pytest.raises(ComponentError, match="exclude each other"):
        Gymnasium(walk, **both)
