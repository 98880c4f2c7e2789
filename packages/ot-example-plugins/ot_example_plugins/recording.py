"""Episodes of a policy in a Gymnasium environment, as flat arrays of transitions: what `ot record` writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from offline_trainer_core import DataError, Policy

if TYPE_CHECKING:
    import gymnasium

__all__ = ["FIELDS", "read", "record", "write"]

Arrays = Mapping[str, np.ndarray]
FIELDS = ("observation", "action", "reward", "next_observation", "terminated", "truncated")


def record(env: str, policy: Policy, *, episodes: int, noise: float = 0.0, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the transitions of `episodes` episodes, one after the other.

    `observation (N, D)`, `action (N, A)`, `reward (N,)`, `next_observation (N, D)`, `terminated (N,)`, `truncated (N,)`
    and `episode_ends (E,)`, the number of transitions up to the end of each episode. Normal noise of `noise` times half
    the action range is added to the actions. Raises `DataError` unless observations and actions are vectors.
    """
    # Reading a recording needs no simulator.
    import gymnasium

    with gymnasium.make(env) as environment:
        for space in (environment.observation_space, environment.action_space):
            if not isinstance(space, gymnasium.spaces.Box) or len(space.shape) != 1:
                raise DataError(
                    f"{env} cannot be recorded: observations and actions must be vectors, and one is {space}"
                )
        random = np.random.default_rng(seed)
        recorded = [
            list(_episode(environment, policy, seed=seed + index, noise=noise, random=random))
            for index in range(episodes)
        ]
    columns = zip(*(row for rows in recorded for row in rows), strict=True)
    arrays = {name: np.stack(column) for name, column in zip(FIELDS, columns, strict=True)}
    return {**arrays, "episode_ends": np.cumsum([len(rows) for rows in recorded], dtype=np.int64)}


def _episode(
    environment: gymnasium.Env[Any, Any], policy: Policy, *, seed: int, noise: float, random: np.random.Generator
) -> Iterator[tuple[Any, ...]]:
    space: Any = environment.action_space
    if hasattr(policy, "reset"):
        policy.reset(seed)
    observation, _ = environment.reset(seed=seed)
    over = False
    while not over:
        action = policy.act({"observation": torch.as_tensor(observation, dtype=torch.float32)[None]})[0].numpy()
        jitter = noise * (space.high - space.low) / 2 * random.standard_normal(space.shape)
        action = np.clip(action + jitter, space.low, space.high).astype(np.float32)
        following, reward, terminated, truncated, _ = environment.step(action)
        row = (np.float32(observation), action, np.float32(reward), np.float32(following))
        yield (*row, np.bool_(terminated), np.bool_(truncated))
        observation, over = following, terminated or truncated


def write(path: Path, arrays: Arrays) -> None:
    """Write `arrays` to an npz file; it appears under its name only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    unfinished.replace(path)


def read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file. Raises `DataError` if it is not there or not a recording."""
    try:
        with np.load(path) as file:
            arrays = {name: file[name] for name in (*FIELDS, "episode_ends")}
    except FileNotFoundError:
        raise DataError(f"no recording at {path}: 'ot record' makes one") from None
    except KeyError as error:
        raise DataError(f"{path} is no recording: {error.args[0]}") from None
    return arrays
