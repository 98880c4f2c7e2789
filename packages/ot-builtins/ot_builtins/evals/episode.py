"""One episode in one environment, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from offline_trainer_core.errors import ComponentError
from ot_builtins.evals.actions import to_space
from ot_builtins.evals.observations import View
from ot_builtins.evals.video import Film

__all__ = ["REDUCTIONS", "Episode", "Measures", "Reduction"]

Reduction = Literal["max", "min", "mean", "last"]
REDUCTIONS: dict[str, Callable[[list[float]], float]] = {
    "max": max,
    "min": min,
    "mean": lambda values: sum(values) / len(values),
    "last": lambda values: values[-1],
}


class Measures:
    """What is measured in an episode besides its return and its length."""

    def __init__(self, success: str | float | None, record: Mapping[str, str]) -> None:
        """`success` is an info key or a return to reach; `record` maps info keys, or `reward`, to a reduction."""
        for key, how in record.items():
            if how not in REDUCTIONS:
                raise ComponentError(f"eval.gymnasium: record.{key} is one of {', '.join(REDUCTIONS)}, not {how!r}")
        self.success = success
        self.record = dict(record)


class Episode:
    """Runs in `env` from a seed to its end; afterwards it stands still, and `result` says how it went."""

    def __init__(self, env: Any, seed: int, view: View, measures: Measures, film: Film | None = None) -> None:
        self.seed = seed
        self.view = view
        self.done = False
        self._env = env
        self._measures = measures
        self._film = film
        self._rewards: list[float] = []
        self._succeeded = False
        self._recorded: dict[str, list[float]] = {key: [] for key in measures.record}
        observation, _ = env.reset(seed=seed)
        view.begin(observation)
        self._shoot()

    def step(self, action: np.ndarray) -> None:
        """Execute one action."""
        observation, reward, terminated, truncated, info = self._env.step(to_space(action, self._env.action_space))
        self.view.add(observation)
        self._rewards.append(float(reward))
        seen = {**info, "reward": reward}
        for key, values in self._recorded.items():
            values.append(float(_known(seen, key)))
        if isinstance(self._measures.success, str):
            self._succeeded |= bool(_known(seen, self._measures.success))
        self._shoot()
        self.done = bool(terminated or truncated)

    def result(self) -> dict[str, Any]:
        """Return seed, return, length, success and what was recorded."""
        measures = self._measures
        result: dict[str, Any] = {"seed": self.seed, "return": sum(self._rewards), "length": len(self._rewards)}
        if isinstance(measures.success, str):
            result["success"] = self._succeeded
        elif measures.success is not None:
            result["success"] = result["return"] >= measures.success
        for key, how in measures.record.items():
            result[f"{key}_{how}"] = REDUCTIONS[how](self._recorded[key])
        return result

    def close(self) -> None:
        """Finish the film."""
        if self._film is not None:
            self._film.close()

    def _shoot(self) -> None:
        if self._film is not None:
            self._film.add(self._env.render())


def _known(seen: Mapping[str, Any], key: str) -> Any:
    if key not in seen:
        raise ComponentError(f"eval.gymnasium: a step gives no '{key}'; it gives: {', '.join(seen)}")
    return seen[key]
