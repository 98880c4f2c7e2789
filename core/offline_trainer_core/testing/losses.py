"""The contract of `loss.*`."""

from __future__ import annotations

from typing import Any

import torch

from offline_trainer_core.nest import leaves
from offline_trainer_core.testing.contract import Contract
from offline_trainer_core.testing.host import no_host_reads

__all__ = ["LossContract"]


class LossContract(Contract):
    """A loss is a finite scalar with a gradient, a function of its arguments, and a mean over the batch."""

    def example(self) -> dict[str, Any]:
        """Return `outputs` (that require gradients), `targets` and `batch`, four samples or more."""
        raise NotImplementedError(f"{type(self).__name__} must define example()")

    def test_the_loss_is_a_finite_scalar(self) -> None:
        result = self.make()(**self.example(), stage="train")
        assert result.loss.shape == (), f"the loss has the shape {tuple(result.loss.shape)}"
        assert bool(result.loss.isfinite()), f"the loss is {result.loss}"
        several = [name for name, value in result.logs.items() if torch.as_tensor(value).numel() != 1]
        assert not several, f"these logs are no single numbers: {', '.join(several)}"

    def test_gradients_reach_the_outputs(self) -> None:
        example = self.example()
        self.make()(**example, stage="train").loss.backward()
        gradients = [leaf.grad for _, leaf in leaves(example["outputs"]) if getattr(leaf, "requires_grad", False)]
        assert gradients, "example() must give outputs that require gradients"
        assert any(gradient is not None and bool(gradient.abs().sum() > 0) for gradient in gradients)

    def test_the_loss_is_a_function_of_its_arguments(self) -> None:
        loss, example = self.make(), self.example()
        assert torch.equal(loss(**example, stage="val").loss, loss(**example, stage="val").loss)

    def test_a_batch_twice_over_has_the_same_loss(self) -> None:
        loss, example = self.make(), self.example()
        once, twice = loss(**example, stage="val").loss, loss(**_twice(example), stage="val").loss
        torch.testing.assert_close(twice, once, msg=lambda message: f"it is no mean over the batch: {message}")

    def test_it_reads_nothing_back_from_the_device(self) -> None:
        loss, example = self.make(), self.example()
        with no_host_reads():
            loss(**example, stage="train")


def _twice(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _twice(item) for key, item in value.items()}
    return torch.cat([value, value]) if isinstance(value, torch.Tensor) else value
