"""Episodes in lockstep: one call of the policy for all environments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ot_builtins.evals.actions import plan_of
from ot_builtins.evals.ensemble import TemporalEnsemble
from ot_builtins.evals.episode import Episode
from ot_builtins.evals.observations import stack_views

__all__ = ["roll_out", "seeded"]


def roll_out(
    policy: Any,
    envs: Sequence[Any],
    begin: Callable[[Any, int], Episode],
    episodes: int,
    action_horizon: int | None,
    temporal_ensemble: float | None,
) -> list[dict[str, Any]]:
    """Return the results of `episodes` episodes, `len(envs)` of them at a time.

    `begin(env, index)` starts the index-th episode. The environments of a batch go on until the last is done, so every
    row of the policy's input stays one episode; a policy that predicts chunks is asked again when one is used up, or at
    every step where a `temporal_ensemble` averages them.
    """
    results = []
    for first in range(0, episodes, len(envs)):
        batch = [begin(env, first + i) for i, env in enumerate(envs[: episodes - first])]
        try:
            if hasattr(policy, "reset"):
                policy.reset(batch[0].seed)
            ensemble = None if temporal_ensemble is None else TemporalEnsemble(temporal_ensemble)
            _run_batch(policy, batch, envs[0].action_space, action_horizon, ensemble)
        finally:
            for episode in batch:
                episode.close()
        results += [episode.result() for episode in batch]
    return results


def _run_batch(
    policy: Any, batch: Sequence[Episode], space: Any, horizon: int | None, ensemble: TemporalEnsemble | None
) -> None:
    while not all(episode.done for episode in batch):
        actions = plan_of(policy.act(stack_views([e.view for e in batch])), space, len(batch), horizon)
        if ensemble is not None:
            actions = ensemble.action(actions)[:, None]
        for t in range(actions.shape[1]):
            for episode, action in zip(batch, actions[:, t], strict=True):
                if not episode.done:
                    episode.step(action)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch for an evaluation, and leave its generators as they were: evaluating changes nothing in training."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
