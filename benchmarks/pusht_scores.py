"""How sure the scores of `pusht.py` are: 95 % intervals of a success rate and of a mean over seeds and rollouts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["bootstrap", "summary", "wilson"]

Z = 1.959963984540054
"""The normal distribution has 95 % of its mass between -Z and Z."""
RESAMPLES = 10_000


def wilson(successes: int, count: int) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson 1927), whose ends lie in [0, 1] for any number of successes."""
    rate, share = successes / count, Z * Z / count
    centre = (rate + share / 2) / (1 + share)
    half = Z / (1 + share) * math.sqrt(rate * (1 - rate) / count + share / (4 * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def bootstrap(values: np.ndarray, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Return the percentile interval of the mean of `values (seeds, rollouts)`.

    Both seeds and rollouts are drawn anew, with replacement (the pigeonhole bootstrap of Owen 2007): rollout `j` begins
    alike for every seed, so neither is nested in the other. Few seeds know little of the spread among seeds: with three
    the interval is rather too narrow.
    """
    random = np.random.default_rng(0)
    seeds, rollouts = values.shape
    rows = random.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    columns = random.multinomial(rollouts, np.full(rollouts, 1 / rollouts), resamples) / rollouts
    means = ((rows @ values) * columns).sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def summary(played: Mapping[int, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the scores of one algorithm at one step; `played` is training seed → its episodes, the same for all.

    The rollouts of all seeds are pooled for the interval of the success rate. Raises `ValueError` where the seeds have
    played other episodes.
    """
    beginnings = {tuple(episode["seed"] for episode in episodes) for episodes in played.values()}
    if len(beginnings) != 1:
        raise ValueError(f"the training seeds {sorted(played)} have not played the same episodes")
    success = np.array([[episode["success"] for episode in episodes] for episodes in played.values()], dtype=float)
    coverage = np.array([[episode["coverage_max"] for episode in episodes] for episodes in played.values()])
    return {
        "seeds": list(played),
        "rollouts": success.size,
        "success": float(success.mean()),
        "success_interval": wilson(int(success.sum()), success.size),
        "success_by_seed": success.mean(1).tolist(),
        "coverage": float(coverage.mean()),
        "coverage_interval": bootstrap(coverage),
        "coverage_by_seed": coverage.mean(1).tolist(),
    }
