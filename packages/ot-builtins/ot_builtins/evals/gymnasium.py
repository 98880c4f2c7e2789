"""Rollouts of a policy in a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from offline_trainer_core import Policy
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import NonNegativeFloat, NonNegativeInt, PositiveInt, RunInfo
from ot_builtins.destinations import destination
from ot_builtins.evals.episode import Episode, Measures, Reduction
from ot_builtins.evals.observations import WHOLE, View
from ot_builtins.evals.policies import RandomPolicy
from ot_builtins.evals.report import draw_results, write_results
from ot_builtins.evals.rollout import roll_out, seeded
from ot_builtins.evals.video import Film
from ot_builtins.extras import import_extra

__all__ = ["Gymnasium"]

Results = list[dict[str, Any]]


class Gymnasium:
    """Plays `episodes` episodes with fixed seeds and scores their returns, lengths, successes and recorded infos.

    Scores: `return_mean`, `return_std`, `length_mean`, `success_rate`, `<key>_<reduction>_mean` for every entry of
    `record`; those of a baseline begin with its name, `random/return_mean`. Every episode's numbers, a plot and videos
    are written below `<dir>/<step>/` in the run folder.

    Args:
        env_id: A registered environment, or `module:EnvId` to import the module that registers it
            (`gym_pusht:gym_pusht/PushT-v0`).
        episodes: How many episodes each policy plays.
        seed: Seed of the first episode; the i-th has `seed + i`.
        env_kwargs: Arguments of the environment.
        observation: Batch field → where it comes from: `whole` for the whole observation, or a key of it.
        history: How many observations the policy sees, `(B, history, ...)`; null for the present alone, `(B, ...)`.
        action_horizon: How many steps of a predicted chunk `(B, T, A)` are executed; null for all.
        temporal_ensemble: Instead of an `action_horizon`: a chunk is predicted at every step, and what the last ones
            say of a step is averaged with the weights `exp(-m i)`, the oldest first, m being this number (Zhao et al.
            2023: 0.01).
        num_envs: How many episodes are played side by side; each policy call serves all of them.
        max_steps: Longest episode, where it is not the environment's own.
        success: Info key that is true once an episode has succeeded, or the return that counts as success.
        record: Info key (or `reward`) → `max`, `min`, `mean` or `last` over an episode.
        baselines: Name → policy to compare with; `random` stands for one that draws random actions.
        video: How many episodes of the policy are filmed.
        plot: Whether to draw the results of policy and baselines.
        dir: Where to write.
    """

    def __init__(
        self,
        env_id: str,
        episodes: PositiveInt = 10,
        seed: NonNegativeInt = 0,
        env_kwargs: Mapping[str, Any] | None = None,
        observation: Mapping[str, str] | None = None,
        history: PositiveInt | None = None,
        action_horizon: PositiveInt | None = None,
        temporal_ensemble: NonNegativeFloat | None = None,
        num_envs: PositiveInt = 1,
        max_steps: PositiveInt | None = None,
        success: str | float | None = None,
        record: Mapping[str, Reduction] | None = None,
        baselines: Mapping[str, Policy | Literal["random"]] | None = None,
        video: NonNegativeInt = 0,
        plot: bool = True,
        dir: str = "evaluations",  # noqa: A002 - the argument's name in the configuration
    ) -> None:
        self._gymnasium = import_extra("gymnasium", "gymnasium", "eval.gymnasium")
        for name, count in {"episodes": episodes, "num_envs": num_envs, "history": history or 1}.items():
            if count < 1:
                raise ComponentError(f"eval.gymnasium: {name} is at least 1, not {count}")
        if action_horizon is not None and temporal_ensemble is not None:
            raise ComponentError("eval.gymnasium: action_horizon and temporal_ensemble exclude each other; give one")
        self.env_id = env_id
        self.episodes = episodes
        self.seed = seed
        self.env_kwargs = dict(env_kwargs or {})
        self.observation = dict(observation or {"observation": WHOLE})
        self.history = history
        self.action_horizon = action_horizon
        self.temporal_ensemble = temporal_ensemble
        self.num_envs = min(num_envs, episodes)
        self.max_steps = max_steps
        self.measures = Measures(success, record or {})
        self.baselines = {name: _baseline(name, policy) for name, policy in (baselines or {}).items()}
        self.video = video
        self.plot = plot
        self.dir = dir
        self._baseline_results: dict[str, Results] = {}

    def evaluate(self, policy: Any, *, run: RunInfo, step: int) -> Mapping[str, float]:
        """Play all episodes; return the scores and write what is to be looked at."""
        folder = destination(run, self.dir) / str(step)
        with seeded(self.seed, torch.device(run.device)):
            results = {"policy": self._play(policy, folder if self.video else None)}
            results |= self._play_baselines()
        write_results(folder / "episodes.json", self.env_id, results)
        if self.plot:
            draw_results(folder / "results.png", f"{self.env_id} at step {step}", results)
        return {
            name if who == "policy" else f"{who}/{name}": value
            for who, played in results.items()
            for name, value in _scores(played).items()
        }

    def _play_baselines(self) -> dict[str, Results]:
        """Baselines do not learn, and their seeds are fixed: they play once."""
        for name, baseline in self.baselines.items():
            if name not in self._baseline_results:
                self._baseline_results[name] = self._play(baseline, None)
        return self._baseline_results

    def _play(self, policy: Any, films: Path | None) -> Results:
        envs: list[Any] = []
        try:
            envs += [self._make(filmed=films is not None and i < self.video) for i in range(self.num_envs)]
            if hasattr(policy, "attach"):
                policy.attach(envs[0])

            def begin(env: Any, index: int) -> Episode:
                film = self._film(films, env, index) if films is not None and index < self.video else None
                return Episode(env, self.seed + index, View(self.observation, self.history), self.measures, film)

            return roll_out(policy, envs, begin, self.episodes, self.action_horizon, self.temporal_ensemble)
        finally:
            for env in envs:
                env.close()

    def _make(self, filmed: bool) -> Any:
        arguments = {**self.env_kwargs, **({"render_mode": "rgb_array"} if filmed else {})}
        try:
            env = self._gymnasium.make(
                self.env_id, max_episode_steps=self.max_steps, disable_env_checker=True, **arguments
            )
        except (ImportError, TypeError, self._gymnasium.error.Error) as error:
            raise ComponentError(f"eval.gymnasium: cannot make the environment '{self.env_id}': {error}") from error
        if env.spec is None or (env.spec.max_episode_steps is None and self.max_steps is None):
            raise ComponentError(f"eval.gymnasium: '{self.env_id}' has no longest episode of its own; give max_steps")
        return env

    def _film(self, folder: Path, env: Any, index: int) -> Film:
        return Film(folder / f"episode_{index:03d}.mp4", env.metadata.get("render_fps", 30))


def _baseline(name: str, policy: Any) -> Any:
    if policy == "random":
        return RandomPolicy()
    if not hasattr(policy, "act"):
        raise ComponentError(f"eval.gymnasium: baselines.{name} is a policy ('_type_: policy.…') or 'random'")
    return policy


def _scores(results: Results) -> dict[str, float]:
    columns = {key: np.array([result[key] for result in results], dtype=float) for key in results[0]}
    scores = {"return_mean": columns["return"].mean(), "return_std": columns["return"].std()}
    for key, values in columns.items():
        if key not in ("seed", "return"):
            scores["success_rate" if key == "success" else f"{key}_mean"] = values.mean()
    return {name: float(value) for name, value in scores.items()}
