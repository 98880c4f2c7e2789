"""Positions beside the formula of their paper."""

import math

import pytest
import torch

from offline_trainer_core import ComponentError
from ot_policy_constructor.blocks.positions import Positions


def test_sinusoidal_positions_are_those_of_vaswani_et_al():
    dim, length = 10, 40
    expected = torch.empty(length, dim)
    for place in range(length):
        for i in range(dim // 2):
            angle = place / 10_000 ** (2 * i / dim)
            expected[place, 2 * i], expected[place, 2 * i + 1] = math.sin(angle), math.cos(angle)
    positions = Positions(length, dim, "sinusoidal")
    torch.testing.assert_close(positions(torch.zeros(length, dim)), expected, rtol=0, atol=1e-6)
    assert not positions.state_dict()


@pytest.mark.parametrize("kind", ["learned", "sinusoidal"])
def test_each_token_gets_the_position_of_its_place(shaken, kind):
    positions = shaken(Positions(6, 4, kind))
    x = torch.randn(2, 3, 5, 4)
    expected = torch.stack([x[..., place, :] + positions.table[place] for place in range(5)], -2)
    torch.testing.assert_close(positions(x), expected, rtol=0, atol=0)
    assert len({tuple(row.tolist()) for row in positions.table}) == 6


def test_only_learned_positions_learn():
    assert [name for name, _ in Positions(6, 4).named_parameters()] == ["table"]
    assert not list(Positions(6, 4, "sinusoidal").parameters())


def test_a_sequence_longer_than_the_positions_is_refused():
    with pytest.raises(ComponentError, match="a sequence of 7 is longer than the 6 positions"):
        Positions(6, 4)(torch.zeros(2, 7, 4))


def test_sines_come_with_cosines():
    with pytest.raises(ValueError, match="need an even 'dim', not 5"):
        Positions(6, 5, "sinusoidal")
