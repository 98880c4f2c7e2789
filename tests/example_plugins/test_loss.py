from __future__ import annotations

import math

import torch

from ot_example_plugins.loss import LogCosh


def test_it_is_the_mean_of_log_cosh() -> None:
    torch.manual_seed(0)
    outputs, targets = torch.randn(2, 4, 3, dtype=torch.float64)
    expected = torch.log(torch.cosh(outputs - targets)).mean()
    result = LogCosh()(outputs=outputs, targets=targets, batch={}, stage="train")
    torch.testing.assert_close(result.loss, expected)


def test_it_is_linear_far_away_where_cosh_overflows() -> None:
    outputs = torch.tensor([[1000.0]], requires_grad=True)
    loss = LogCosh()(outputs=outputs, targets=torch.zeros(1, 1), batch={}, stage="train").loss
    loss.backward()
    assert math.isclose(loss.item(), 1000 - math.log(2), rel_tol=1e-6)
    assert outputs.grad.item() == 1.0


def test_padding_does_not_count() -> None:
    torch.manual_seed(0)
    outputs, targets = torch.randn(2, 2, 5, 3)
    pad = torch.tensor([[False] * 5, [False] * 2 + [True] * 3])
    real = torch.cat([(outputs - targets)[0], (outputs - targets)[1, :2]])
    result = LogCosh(mask_path="pad")(outputs=outputs, targets=targets, batch={"pad": pad}, stage="train")
    torch.testing.assert_close(result.loss, torch.log(torch.cosh(real)).mean())
    assert not torch.allclose(result.loss, LogCosh()(outputs=outputs, targets=targets, batch={}, stage="train").loss)
