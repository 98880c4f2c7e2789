"""The contract of `loss.*`."""

from __future__ import annotations

from typing import Any

import torch

from offline_trainer_core.nest import leaves
from offline_trainer_core.testing.contract import Contract

__all__ = ["LossContract"]


class LossContract(Contract):
    """A loss is a finite scalar with a gradient, and a function of its arguments."""

    def example(self) -> dict[str, Any]:
        """Return `outputs` (that require gradients), `targets` and `batch`, four samples or more."""
        raise NotImplementedError(f"{type(self).__name__} must define example()")

    def test_the_loss_is_a_finite_scalar(self) -> None:
        result = self.make()(**self.example(), stage="train")
        assert result.loss.shape == () and bool(result.loss.isfinite())
        assert all(torch.as_tensor(value).numel() == 1 for value in result.logs.values())

    def test_gradients_reach_the_outputs(self) -> None:
        example = self.example()
        self.make()(**example, stage="train").loss.backward()
        gradients = [leaf.grad for _, leaf in leaves(example["outputs"]) if getattr(leaf, "requires_grad", False)]
        assert gradients, "example() must give outputs that require gradients"
        assert any(gradient is not None and bool(gradient.abs().sum() > 0) for gradient in gradients)

    def test_the_loss_is_a_function_of_its_arguments(self) -> None:
        loss, example = self.make(), self.example()
        assert torch.equal(loss(**example, stage="val").loss, loss(**example, stage="val").loss)
