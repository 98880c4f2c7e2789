from __future__ import annotations

import numpy as np
import torch

from ot_example_plugins.metric import ActionJerk


class TwoAlike:
    """The collectives of two processes that saw the same."""

    def all_reduce_sum(self, tensor: torch.Tensor) -> torch.Tensor:
        return 2 * tensor


def filled(*chunks: torch.Tensor) -> ActionJerk:
    metric = ActionJerk()
    for chunk in chunks:
        metric.update(outputs=chunk, targets=chunk.sin(), batch={}, stage="val")
    return metric


def test_it_is_the_mean_squared_third_difference_over_all_batches() -> None:
    torch.manual_seed(0)
    small, large = torch.randn(2, 8, 3), torch.randn(5, 8, 3)
    values = filled(small, large).compute()
    both = torch.cat([small, large])
    for name, chunk in {"action_jerk": both, "action_jerk_of_data": both.sin()}.items():
        np.testing.assert_allclose(values[name], np.square(np.diff(chunk.numpy(), n=3, axis=1)).mean(), rtol=1e-6)


def test_a_parabola_has_no_jerk_and_a_cubic_has() -> None:
    time = torch.arange(8.0).reshape(1, 8, 1)
    assert filled(time**2).compute()["action_jerk"] == 0
    assert filled(time**3).compute()["action_jerk"] == 36


def test_processes_that_saw_the_same_agree_with_one() -> None:
    metric = filled(torch.linspace(0, 1, 8).exp().reshape(1, 8, 1))
    alone = metric.compute()["action_jerk"]
    metric.reduce(TwoAlike())
    assert metric.compute()["action_jerk"] == alone


def test_it_starts_again_after_a_reset() -> None:
    metric = filled(torch.randn(2, 8, 3))
    metric.reset()
    metric.update(outputs=torch.zeros(1, 4, 1), targets=torch.zeros(1, 4, 1), batch={}, stage="val")
    assert metric.compute()["action_jerk"] == 0
