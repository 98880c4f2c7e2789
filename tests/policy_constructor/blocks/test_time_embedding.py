"""The time embedding beside that of pi-0."""

import math

import pytest
import torch

from ot_policy_constructor.blocks.time_embedding import TimeEmbedding


def embedding_of_pi0(time, dim, min_period, max_period):
    """`posemb_sincos` of openpi, number by number."""
    row = []
    for wave in (math.sin, math.cos):
        for i in range(dim // 2):
            period = min_period * (max_period / min_period) ** (i / (dim // 2 - 1))
            row.append(wave(time * (1 / period * 2 * math.pi)))
    return row


@pytest.mark.parametrize("periods", [{}, {"min_period": 0.01, "max_period": 2.0}])
def test_a_time_embedding_is_that_of_pi0(periods):
    times = torch.linspace(0, 1, 11, dtype=torch.float64)
    bounds = (periods.get("min_period", 4e-3), periods.get("max_period", 4.0))
    expected = torch.tensor([embedding_of_pi0(time, 16, *bounds) for time in times.tolist()], dtype=torch.float64)
    # The shortest period passes 250 times in the unit interval: single precision keeps four digits of the last one.
    torch.testing.assert_close(TimeEmbedding(16, **periods)(times), expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(TimeEmbedding(16, **periods)(times.float()).double(), expected, rtol=0, atol=2e-4)


def test_times_may_have_any_shape():
    embed = TimeEmbedding(8)
    times = torch.rand(2, 3)
    assert embed(times).shape == (2, 3, 8)
    torch.testing.assert_close(embed(times)[1, 2], embed(times[1, 2]), rtol=0, atol=0)
    assert not embed.state_dict()


@pytest.mark.parametrize("dim", [2, 7])
def test_a_dimension_without_two_periods_is_refused(dim):
    with pytest.raises(ValueError, match=f"even 'dim' of at least 4, not {dim}"):
        TimeEmbedding(dim)
