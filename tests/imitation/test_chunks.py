"""Actions of a batch, predictions, and means over what is no padding."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from offline_trainer_core import ComponentError, DataError
from ot_imitation.auxiliary import auxiliary_losses
from ot_imitation.chunks import actions_in, masked_mean, read_chunk


def test_a_mean_counts_no_padding_whatever_stands_there() -> None:
    values, padding = torch.randn(3, 4, 2), torch.rand(3, 4) < 0.5
    by_hand = [v for row, mask in zip(values, padding, strict=True) for v, p in zip(row, mask, strict=True) if not p]
    torch.testing.assert_close(masked_mean(values, padding), torch.stack(by_hand).mean())
    wild = torch.where(padding[..., None], torch.nan, values)
    assert torch.equal(masked_mean(wild, padding), masked_mean(values, padding))
    assert not torch.isclose(values.mean(), masked_mean(values, padding))


def test_a_batch_of_padding_alone_has_no_error_and_no_gradient() -> None:
    values = torch.randn(2, 3, requires_grad=True)
    mean = masked_mean(values, torch.ones(2, 3, dtype=torch.bool))
    mean.backward()
    assert mean == 0
    assert values.grad is not None
    assert not values.grad.any()


def test_without_a_mask_everything_counts() -> None:
    values = torch.randn(2, 3)
    assert torch.equal(masked_mean(values, None), values.mean())
    assert torch.equal(read_chunk("algo.x", {"action": values}, "action")[0], values)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"actions": torch.zeros(2, 4, 2)}, "algo.x: action_field: no 'action': the batch has actions"),
        ({"action": torch.zeros(2, 8, 2)}, r"action_shape is \[4, 2\], and 'action' of a batch is \[8, 2\]"),
    ],
)
def test_actions_that_do_not_fit_are_refused(batch: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_chunk("algo.x", batch, "action", (4, 2))


def test_a_mask_of_other_dimensions_is_refused() -> None:
    with pytest.raises(DataError, match=r"mask of padding is \(2, 5\), and what it is for \(2, 4, 2\)"):
        masked_mean(torch.zeros(2, 4, 2), torch.zeros(2, 5, dtype=torch.bool))


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (torch.zeros(2, 8), r"returns shape \(2, 8\); for these actions it must be \(B, 4, 2\)"),
        (
            {"velocity": torch.zeros(2, 4, 2)},
            "returns a mapping of velocity; it must return a tensor, or a mapping with",
        ),
        ((torch.zeros(2, 4, 2),), "returns tuple"),
    ],
)
def test_a_prediction_that_does_not_fit_is_refused(output: Any, message: str) -> None:
    with pytest.raises(ComponentError, match=message):
        actions_in("algo.x", output, (4, 2))


def test_auxiliary_losses_are_weighted_and_summed_over_components() -> None:
    outputs = [{"balance": torch.tensor(2.0), "tokens": 1}, torch.zeros(1), {"balance": torch.tensor(3.0)}]
    assert auxiliary_losses("algo.x", {"balance": 0.1}, outputs)["balance"] == pytest.approx(0.5)
    assert auxiliary_losses("algo.x", {}, outputs) == {}
    with pytest.raises(ComponentError, match=r"auxiliary\.balanced: no .* returns 'balanced'.*return: balance, tokens"):
        auxiliary_losses("algo.x", {"balanced": 1.0}, outputs)
