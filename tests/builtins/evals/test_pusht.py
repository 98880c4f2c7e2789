"""`eval.gymnasium` plays the real Push-T (Chi et al. 2023), without a display."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("gym_pusht", reason="needs gym-pusht with pymunk below 7")

import torch  # noqa: F401 - policies are tensors

from ot_builtins.evals.gymnasium import Gymnasium


class Goto:
    """Sends the agent to where the block is, eight steps ahead."""

    def act(self, observation):
        return observation["state"][:, -1:, 2:4].expand(-1, 8, -1)


def test_pushing_at_the_block_moves_it_and_is_scored_beside_random(run_info, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    evaluation = Gymnasium(
        "gym_pusht:gym_pusht/PushT-v0",
        episodes=2,
        num_envs=2,
        env_kwargs={"obs_type": "state"},
        observation={"state": "whole"},
        history=2,
        action_horizon=4,
        max_steps=60,
        success="is_success",
        record={"coverage": "max", "n_contacts": "max"},
        baselines={"random": "random"},
        plot=False,
    )
    scores = evaluation.evaluate(Goto(), run=run_info, step=100)
    assert scores["length_mean"] == 60
    assert scores["success_rate"] == scores["random/success_rate"] == 0
    assert scores["n_contacts_max_mean"] >= 1
    assert 0 <= scores["coverage_max_mean"] < 0.95
    played = json.loads((run_info.dir / "evaluations/100/episodes.json").read_text())
    assert [episode["seed"] for episode in played["episodes"]["random"]] == [0, 1]


def test_the_same_seeds_give_the_same_scores(run_info):
    options = {"env_kwargs": {"obs_type": "state"}, "observation": {"state": "whole"}, "history": 1, "max_steps": 20}
    first, second = (
        Gymnasium("gym_pusht:gym_pusht/PushT-v0", episodes=3, num_envs=n, plot=False, **options).evaluate(
            Goto(), run=run_info, step=0
        )
        for n in (1, 3)
    )
    assert first == second
