from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from offline_trainer_core.errors import ComponentError, DataError
from ot_builtins.losses import TorchLoss


def score(loss: TorchLoss, outputs: Any, targets: Any, batch: Any = None) -> Tensor:
    return loss(outputs=outputs, targets=targets, batch=batch, stage="train").loss


@pytest.mark.parametrize("name", ["MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "BCEWithLogitsLoss"])
def test_a_loss_by_name_is_the_one_of_torch(name: str) -> None:
    prediction, target = torch.randn(4, 3), torch.rand(4, 3)
    expected = getattr(nn, name)()(prediction, target)
    assert torch.equal(score(TorchLoss(name), prediction, {"y": target}), expected)
    assert not torch.equal(score(TorchLoss(name), prediction + 1, {"y": target}), expected)


def test_a_loss_that_was_built_is_used_as_it_is() -> None:
    logits, classes = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    smoothed = nn.CrossEntropyLoss(label_smoothing=0.3)
    assert torch.equal(score(TorchLoss(smoothed), logits, classes), smoothed(logits, classes))
    assert not torch.equal(score(TorchLoss("CrossEntropyLoss"), logits, classes), smoothed(logits, classes))


def test_paths_choose_among_several_outputs_and_targets() -> None:
    outputs = {"mean": torch.zeros(4, 2), "aux": [torch.ones(4, 2)]}
    targets = {"a": torch.zeros(4, 2), "b": torch.full((4, 2), 3.0)}
    assert score(TorchLoss(pred_path="aux.0", target_path="b"), outputs, targets) == 4.0
    with pytest.raises(DataError, match=r"pred_path is needed.*outputs but: mean, aux"):
        score(TorchLoss(target_path="b"), outputs, targets)
    with pytest.raises(DataError, match=r"target_path: no 'c': the batch has a, b|no 'c'"):
        score(TorchLoss(pred_path="mean", target_path="c"), outputs, targets)


@pytest.mark.parametrize("trailing", [(), (2,), (2, 3)])
def test_padding_does_not_count(trailing: tuple[int, ...]) -> None:
    prediction = torch.randn(4, 5, *trailing, requires_grad=True)
    target = torch.randn(4, 5, *trailing)
    padding = torch.rand(4, 5) < 0.4
    loss = score(TorchLoss("L1Loss", mask_path="is_pad"), prediction, target, {"is_pad": padding})
    torch.testing.assert_close(loss, (prediction - target)[~padding].abs().mean())
    assert loss != score(TorchLoss("L1Loss"), prediction, target)
    loss.backward()
    assert prediction.grad is not None
    assert torch.equal(prediction.grad[padding], torch.zeros_like(prediction.grad[padding]))


def test_numbers_in_padding_that_are_not_finite_do_not_spread() -> None:
    prediction, target = torch.zeros(2, 2), torch.tensor([[1.0, float("nan")], [1.0, 1.0]])
    padding = torch.tensor([[False, True], [False, False]])
    assert score(TorchLoss(mask_path="is_pad"), prediction, target, {"is_pad": padding}) == 1.0


def test_a_batch_of_nothing_but_padding_has_no_loss() -> None:
    padding = torch.ones(2, dtype=torch.bool)
    assert score(TorchLoss(mask_path="is_pad"), torch.ones(2, 3), torch.zeros(2, 3), {"is_pad": padding}) == 0.0


def test_masking_leaves_the_loss_that_was_given_alone() -> None:
    given = nn.MSELoss()
    TorchLoss(given, mask_path="is_pad")
    assert given.reduction == "mean"


def test_shapes_that_would_be_broadcast_are_refused() -> None:
    with pytest.raises(DataError, match=r"output is \(4, 1\) and the target \(4,\); MSELoss needs equal shapes"):
        score(TorchLoss(), torch.zeros(4, 1), torch.zeros(4))


def test_a_mask_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match=r"the mask is \(3,\).*\(4, 2\)"):
        score(TorchLoss(mask_path="m"), torch.zeros(4, 2), torch.zeros(4, 2), {"m": torch.zeros(3, dtype=torch.bool)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fn": "MSEloss"}, "no loss 'MSEloss'; did you mean 'MSELoss'"),
        ({"fn": "Linear"}, "no loss 'Linear'.*torch.nn has: "),
        ({"fn": nn.MSELoss(reduction="sum"), "mask_path": "m"}, "reduction is 'mean'"),
        ({"fn": torch.dist, "mask_path": "m"}, "reduction is 'mean'"),
    ],
)
def test_a_loss_that_cannot_be_used_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ComponentError, match=message):
        TorchLoss(**arguments)
