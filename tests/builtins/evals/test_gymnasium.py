"""`eval.gymnasium`: the scores are those of a loop written by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from offline_trainer_core.errors import ComponentError
from ot_builtins.evals.gymnasium import Gymnasium
from ot_builtins.evals.policies import RandomPolicy

gymnasium = pytest.importorskip("gymnasium", reason="needs ot-builtins[gymnasium]")


class Follow:
    """Chunks of three actions that depend on what was seen first and last; remembers its inputs."""

    chunk = 3

    def __init__(self, field="observation"):
        self.field, self.seen = field, []

    def act(self, observation):
        seen = observation[self.field]
        self.seen.append(seen.clone())
        first, last = (seen[:, 0], seen[:, -1]) if seen.ndim == 3 else (seen, seen)
        return torch.stack([(0.3 * first - 0.2 * last) * (t + 1) for t in range(self.chunk)], dim=1)


def by_hand(episodes, *, history, horizon, seed=0):
    """Play the same episodes, one after the other, with nothing of ours but the policy."""
    returns, lengths, farthest = [], [], []
    for index in range(episodes):
        env = gymnasium.make("Walk-v0")
        observation, _ = env.reset(seed=seed + index)
        seen, total, steps, far, plan, done = [observation] * history, 0.0, 0, -np.inf, [], False
        while not done:
            if not plan:
                window = torch.from_numpy(np.stack(seen[-history:])[None].astype(np.float32))
                plan = list(Follow().act({"observation": window})[0, :horizon].numpy())
            observation, reward, terminated, truncated, info = env.step(np.clip(plan.pop(0), -1.0, 1.0))
            seen.append(observation)
            total, steps, far, done = total + reward, steps + 1, max(far, info["far"]), terminated or truncated
        returns.append(total)
        lengths.append(steps)
        farthest.append(far)
    return returns, lengths, farthest


@pytest.mark.parametrize(("history", "horizon"), [(1, 1), (2, 2), (3, 3)])
@pytest.mark.parametrize("num_envs", [1, 3, 7])
def test_scores_are_those_of_a_loop_written_by_hand(run_info, walk, num_envs, history, horizon):
    evaluation = Gymnasium(
        walk, episodes=7, num_envs=num_envs, history=history, action_horizon=horizon, record={"far": "max"}, plot=False
    )
    scores = evaluation.evaluate(Follow(), run=run_info, step=5)
    returns, lengths, farthest = by_hand(7, history=history, horizon=horizon)
    assert scores == {
        "return_mean": pytest.approx(np.mean(returns)),
        "return_std": pytest.approx(np.std(returns)),
        "length_mean": np.mean(lengths),
        "far_max_mean": pytest.approx(np.mean(farthest)),
    }
    other = by_hand(7, history=history, horizon=horizon, seed=1)[0]
    assert np.mean(other) != pytest.approx(np.mean(returns))


def test_every_episode_is_written_with_its_seed(run_info, walk, tmp_path):
    Gymnasium(walk, episodes=4, seed=10, num_envs=3, history=1, plot=False).evaluate(Follow(), run=run_info, step=7)
    written = json.loads((tmp_path / "evaluations/7/episodes.json").read_text())
    returns, lengths, _ = by_hand(4, history=1, horizon=3, seed=10)
    assert [e["seed"] for e in written["episodes"]["policy"]] == [10, 11, 12, 13]
    assert [e["length"] for e in written["episodes"]["policy"]] == lengths
    assert [e["return"] for e in written["episodes"]["policy"]] == pytest.approx(returns)


def test_the_policy_sees_the_first_observation_before_there_are_others(run_info, walk):
    policy = Follow()
    Gymnasium(walk, episodes=2, num_envs=2, history=3, action_horizon=1, plot=False).evaluate(
        policy, run=run_info, step=0
    )
    first, second = policy.seen[:2]
    assert first.shape == (2, 3, 2)
    assert first.dtype == torch.float32
    assert torch.equal(first[:, 0], first[:, 2])
    assert torch.equal(second[:, :2], first[:, 1:])
    assert not torch.equal(second[:, 2], first[:, 2])


def test_without_a_history_there_is_no_time_dimension(run_info, walk):
    policy = Follow()
    Gymnasium(walk, episodes=2, num_envs=2, plot=False).evaluate(policy, run=run_info, step=0)
    assert policy.seen[0].shape == (2, 2)


def test_a_field_may_come_from_a_key_of_the_observation(run_info, walk):
    whole = Gymnasium(walk, episodes=3, plot=False).evaluate(Follow(), run=run_info, step=0)
    options = {"env_kwargs": {"observe": "dict"}, "observation": {"state": "place"}, "plot": False}
    assert Gymnasium(walk, episodes=3, **options).evaluate(Follow("state"), run=run_info, step=0) == whole


@pytest.mark.parametrize(
    ("success", "expected"),
    [("at_goal", lambda far, returns: far > 5.0), (2.0, lambda far, returns: returns >= 2.0)],
)
def test_success_is_an_info_or_a_return_to_reach(run_info, walk, success, expected):
    class Right:
        def act(self, observation):
            return torch.ones(len(observation["observation"]), 2)

    options = {"episodes": 30, "num_envs": 8, "record": {"far": "max"}, "plot": False}
    scores = Gymnasium(walk, success=success, **options).evaluate(Right(), run=run_info, step=0)
    played = json.loads((run_info.dir / "evaluations/0/episodes.json").read_text())["episodes"]["policy"]
    assert scores["success_rate"] == np.mean([expected(e["far_max"], e["return"]) for e in played])
    assert scores["success_rate"] > 0


def test_actions_are_clipped_to_the_space_in_its_dtype(run_info, walk):
    class Wild:
        def act(self, observation):
            return torch.full((len(observation["observation"]), 2), 1e6, dtype=torch.float64)

    scores = Gymnasium(walk, episodes=1, plot=False).evaluate(Wild(), run=run_info, step=0)  # the env asserts
    assert scores["return_mean"] == scores["length_mean"]


def test_discrete_actions_are_integers(run_info):
    class Left:
        def act(self, observation):
            return torch.zeros(len(observation["observation"]), dtype=torch.int64)

    scores = Gymnasium("CartPole-v1", episodes=3, num_envs=2, plot=False).evaluate(Left(), run=run_info, step=0)
    assert 8 <= scores["length_mean"] <= 11  # the pole falls


def test_the_random_baseline_plays_beside_the_policy_whatever_the_batch(run_info, walk):
    def go(num_envs):
        evaluation = Gymnasium(walk, episodes=5, num_envs=num_envs, baselines={"random": "random"}, plot=False)
        return evaluation.evaluate(Follow(), run=run_info, step=0)

    one, many = go(1), go(4)
    assert one == pytest.approx(many)
    assert one["random/return_mean"] != pytest.approx(one["return_mean"])


def test_a_baseline_plays_once_and_the_policy_every_time(run_info, walk):
    class Count(RandomPolicy):
        resets = 0

        def reset(self, seed):
            self.resets += 1
            super().reset(seed)

    baseline, policy = Count(), Count()
    evaluation = Gymnasium(walk, episodes=2, baselines={"other": baseline}, plot=False)
    first, second = (dict(evaluation.evaluate(policy, run=run_info, step=s)) for s in (1, 2))
    assert (baseline.resets, policy.resets) == (2, 4)
    assert first == second


def test_evaluating_leaves_the_random_numbers_of_training_alone(run_info, walk):
    class Noisy:
        def act(self, observation):
            return torch.randn(len(observation["observation"]), 2)

    torch.manual_seed(3)
    expected = torch.randn(4)
    torch.manual_seed(3)
    evaluation = Gymnasium(walk, episodes=2, plot=False)
    first, second = (evaluation.evaluate(Noisy(), run=run_info, step=0) for _ in range(2))
    assert torch.equal(torch.randn(4), expected)
    assert first == second


def test_a_plot_shows_policy_and_baselines(run_info, walk, tmp_path):
    pytest.importorskip("matplotlib", reason="needs ot-builtins[plots]")
    from matplotlib.image import imread

    options = {"success": "at_goal", "record": {"far": "max"}, "baselines": {"random": "random"}}
    Gymnasium(walk, episodes=3, **options).evaluate(Follow(), run=run_info, step=9)
    picture = imread(tmp_path / "evaluations/9/results.png")
    assert picture.shape[1] > 1000


def test_the_first_episodes_are_filmed_whole(run_info, walk, tmp_path):
    av = pytest.importorskip("av", reason="needs ot-builtins[video]")
    Gymnasium(walk, episodes=5, num_envs=2, video=3, plot=False).evaluate(Follow(), run=run_info, step=1)
    films = sorted((tmp_path / "evaluations/1").glob("*.mp4"))
    assert [film.name for film in films] == [f"episode_{i:03d}.mp4" for i in range(3)]
    lengths = by_hand(3, history=1, horizon=3)[1]
    for film, length in zip(films, lengths, strict=True):
        with av.open(str(film)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
            assert container.streams.video[0].average_rate == 5
        assert len(frames) == length + 1  # the first observation too
        assert frames[0].shape == (32, 46, 3)  # even sizes
        assert [round(float(frame.mean()), -1) for frame in frames] == [min(255, 50 * t) for t in range(length + 1)]


class Wrong:
    def __init__(self, output):
        self.output = output

    def act(self, observation):
        return self.output


@pytest.mark.parametrize(
    ("options", "output", "message"),
    [
        ({}, torch.zeros(1, 3), r"shape \(1, 3\).*must be \(1, 2\), or \(1, 'T', 2\)"),
        ({}, torch.full((1, 2), float("nan")), "not finite"),
        ({"action_horizon": 4}, torch.zeros(1, 3, 2), "action_horizon is 4, and the policy predicts 3"),
        ({"success": "won"}, torch.zeros(1, 2), "gives no 'won'; it gives: far, at_goal, reward"),
        ({"record": {"near": "max"}}, torch.zeros(1, 2), "gives no 'near'"),
        ({"observation": {"state": "pose"}}, torch.zeros(1, 2), "observation.state is not there"),
        ({"env_kwargs": {"observe": "dict"}}, torch.zeros(1, 2), "observes place; say which of them is"),
        ({"env_kwargs": {"colour": "red"}}, torch.zeros(1, 2), "cannot make the environment 'Walk-v0'.*colour"),
    ],
)
def test_what_does_not_fit_is_said(run_info, walk, options, output, message):
    with pytest.raises(ComponentError, match=message):
        Gymnasium(walk, episodes=1, plot=False, **options).evaluate(Wrong(output), run=run_info, step=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"episodes": 0}, "episodes is at least 1"),
        ({"record": {"far": "median"}}, "record.far is one of max, min, mean, last"),
        ({"baselines": {"other": "expert"}}, "baselines.other is a policy"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(walk, options, message):
    with pytest.raises(ComponentError, match=message):
        Gymnasium(walk, **options)


def test_an_environment_that_does_not_exist_is_said(run_info):
    with pytest.raises(ComponentError, match="cannot make the environment 'Nowhere-v0'"):
        Gymnasium("Nowhere-v0").evaluate(Follow(), run=run_info, step=0)


def test_an_endless_environment_needs_max_steps(run_info, walk):
    gymnasium.registry[walk].max_episode_steps = None
    with pytest.raises(ComponentError, match="give max_steps"):
        Gymnasium(walk).evaluate(Follow(), run=run_info, step=0)
    scores = Gymnasium(walk, episodes=2, max_steps=2, plot=False).evaluate(Follow(), run=run_info, step=0)
    assert scores["length_mean"] == 2


def test_a_random_policy_without_an_environment_says_so():
    with pytest.raises(ComponentError, match="no environment to act in"):
        RandomPolicy().act({"observation": torch.zeros(1, 2)})
