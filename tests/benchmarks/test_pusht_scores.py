from __future__ import annotations

import numpy as np
import pytest
from pusht_scores import bootstrap, summary, wilson


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_an_interval_of_a_rate_is_the_one_that_newcombe_published(
    successes: int, count: int, low: float, high: float
) -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    assert wilson(successes, count) == pytest.approx((low, high), abs=5e-5)


def test_the_ends_of_the_interval_are_the_rates_that_a_score_test_just_accepts() -> None:
    rate, count = 37 / 100, 100
    for end in wilson(37, count):
        assert abs(rate - end) / np.sqrt(end * (1 - end) / count) == pytest.approx(1.959964, abs=1e-6)


@pytest.mark.parametrize("successes", [0, 50])
def test_an_interval_stays_within_0_and_1(successes: int) -> None:
    low, high = wilson(successes, 50)
    assert 0 <= low < high <= 1
    mirrored = wilson(50 - successes, 50)
    assert (low, high) == pytest.approx((1 - mirrored[1], 1 - mirrored[0]))


def test_the_bootstrap_is_that_of_a_loop_over_resamples() -> None:
    values = np.random.default_rng(1).random((3, 20))
    random = np.random.default_rng(2)
    means = [values[random.integers(3, size=3)][:, random.integers(20, size=20)].mean() for _ in range(10_000)]
    assert bootstrap(values) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.01)


def test_a_mean_of_many_rollouts_has_the_interval_of_the_normal_distribution() -> None:
    rollouts = np.random.default_rng(3).normal(0.5, 0.1, 1000)
    half = 1.96 * rollouts.std() / np.sqrt(1000)
    # One seed, and the same rollouts of three seeds: as much is known.
    for values in (rollouts[None], np.tile(rollouts, (3, 1))):
        assert bootstrap(values) == pytest.approx((rollouts.mean() - half, rollouts.mean() + half), abs=0.0005)


def test_more_rollouts_do_not_hide_what_differs_between_seeds() -> None:
    seeds = np.array([[0.2], [0.5], [0.8]])
    # Resamples of three in which one seed comes three times are 1 in 27 each: more than 2.5 % at either end.
    for rollouts in (100, 1000):
        assert bootstrap(np.tile(seeds, (1, rollouts))) == pytest.approx((0.2, 0.8))


def test_scores_that_are_all_alike_have_no_spread() -> None:
    assert bootstrap(np.full((3, 100), 0.25)) == pytest.approx((0.25, 0.25))


def episodes(coverages: list[float], first: int = 0) -> list[dict[str, object]]:
    return [{"seed": first + i, "success": c > 0.95, "coverage_max": c} for i, c in enumerate(coverages)]


def test_a_summary_pools_the_rollouts_of_all_seeds() -> None:
    score = summary({0: episodes([0.96, 0.5]), 7: episodes([0.2, 0.94])})
    assert (score["seeds"], score["rollouts"], score["success"]) == ([0, 7], 4, 0.25)
    assert score["success_interval"] == wilson(1, 4)
    assert score["success_by_seed"] == [0.5, 0.0]
    assert score["coverage"] == pytest.approx(0.65)
    assert score["coverage_by_seed"] == pytest.approx([0.73, 0.57])
    assert score["coverage_interval"] == bootstrap(np.array([[0.96, 0.5], [0.2, 0.94]]))


@pytest.mark.parametrize("other", [episodes([0.1]), episodes([0.1, 0.2], first=1)])
def test_seeds_that_played_other_episodes_are_not_compared(other: list[dict[str, object]]) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\] have not played the same episodes"):
        summary({0: episodes([0.1, 0.2]), 1: other})
