"""Feature-wise modulation, beside its formula for one channel at a time."""

import pytest
import torch

from ot_policy_constructor.blocks.film import FiLM

CONTEXT = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(), (5,), (5, 4)])
@pytest.mark.parametrize("context_dim", [6, None])
def test_every_channel_is_scaled_and_shifted_by_what_the_context_says(size, context_dim):
    block = FiLM(3, context_dim)
    x = torch.randn(2, 3, *size)
    modulated = block(x, CONTEXT)
    linear = CONTEXT @ block.linear.weight.T + block.linear.bias
    for sample in range(2):
        for channel in range(3):
            expected = x[sample, channel] * (1 + linear[sample, channel]) + linear[sample, 3 + channel]
            torch.testing.assert_close(modulated[sample, channel], expected)


def test_a_silent_context_changes_nothing():
    block = FiLM(3, 6)
    torch.nn.init.zeros_(block.linear.bias)
    x = torch.randn(2, 3, 5)
    assert torch.equal(block(x, torch.zeros(2, 6)), x)
    assert not torch.equal(block(x, CONTEXT), x)


def test_time_steps_have_contexts_of_their_own():
    block = FiLM(3, 6)
    x, context = torch.randn(2, 4, 3, 5, 5), torch.randn(2, 4, 6)
    torch.testing.assert_close(block(x, context)[1, 2], block(x[1, 2], context[1, 2]))
