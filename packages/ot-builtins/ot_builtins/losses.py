"""Losses of torch, applied to the outputs and targets of a run."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Annotated, Any, Literal

from torch import Tensor, nn

from offline_trainer_core.errors import ComponentError, DataError
from offline_trainer_core.spelling import did_you_mean
from offline_trainer_core.types import ComponentOf, LossOutput, Stage
from ot_builtins.masks import counted
from ot_builtins.places import Path, pick, select_or_explain

__all__ = ["TorchLoss"]

LossName = Annotated[
    Literal[
        "BCELoss",
        "BCEWithLogitsLoss",
        "CrossEntropyLoss",
        "HingeEmbeddingLoss",
        "HuberLoss",
        "KLDivLoss",
        "L1Loss",
        "MSELoss",
        "MultiLabelMarginLoss",
        "MultiLabelSoftMarginLoss",
        "MultiMarginLoss",
        "NLLLoss",
        "PoissonNLLLoss",
        "SmoothL1Loss",
        "SoftMarginLoss",
    ],
    ComponentOf("nn"),
]
"""The losses of torch that are made without arguments and called with an output and a target."""

# These broadcast a (B, 1) output against a (B,) target into a (B, B) loss, with no more than a warning.
_ELEMENTWISE = (
    nn.MSELoss,
    nn.L1Loss,
    nn.SmoothL1Loss,
    nn.HuberLoss,
    nn.BCELoss,
    nn.BCEWithLogitsLoss,
    nn.KLDivLoss,
    nn.PoissonNLLLoss,
    nn.SoftMarginLoss,
)


class TorchLoss:
    """Any loss of `torch.nn`, or any callable `fn(output, target)` that returns a scalar.

    Args:
        fn: A class of `torch.nn` by name (`MSELoss`), or a spec (`{_type_: nn.HuberLoss, delta: 0.5}`).
        pred_path: Where in the outputs the prediction is; not needed with a single output.
        target_path: Where in the targets the target is; not needed with a single target.
        mask_path: Where in the batch a mask of padding is, such as `action_is_pad`: booleans of the first dimensions of
            the loss, `(B,)` or `(B, T)`, True for what does not count. The loss is the mean over what counts.

    Raises:
        ComponentError: There is no such loss, or it cannot be masked.
        DataError: A path does not exist, several outputs or targets and no path, or shapes that do not fit.
    """

    def __init__(
        self,
        fn: LossName | Callable[[Any, Any], Tensor] = "MSELoss",
        pred_path: Path | None = None,
        target_path: Path | None = None,
        mask_path: Path | None = None,
    ) -> None:
        self._fn = _named(fn) if isinstance(fn, str) else fn
        if mask_path is not None:
            self._fn = _unreduced(self._fn)
        self._pred_path, self._target_path, self._mask_path = pred_path, target_path, mask_path
        self._same_shape = isinstance(self._fn, _ELEMENTWISE)

    def __call__(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> LossOutput:
        prediction = pick(outputs, self._pred_path, "loss.torch: pred_path", "outputs")
        target = pick(targets, self._target_path, "loss.torch: target_path", "targets")
        if self._same_shape and prediction.shape != target.shape:
            raise DataError(
                f"loss.torch: the output is {tuple(prediction.shape)} and the target {tuple(target.shape)}; "
                f"{type(self._fn).__name__} needs equal shapes"
            )
        loss = self._fn(prediction, target)
        if self._mask_path is not None:
            padding = select_or_explain(batch, self._mask_path, "loss.torch: mask_path")
            counts = counted(padding, loss, "loss.torch: mask_path")
            loss = loss.where(counts, 0.0).sum() / counts.sum().clamp(min=1)
        return LossOutput(loss)


def _named(name: str) -> nn.Module:
    losses = [known for known in dir(nn) if known.endswith("Loss")]
    if name not in losses:
        raise ComponentError(
            f"loss.torch: no loss '{name}'{did_you_mean(name, losses)}; torch.nn has: {', '.join(losses)}"
        )
    module: nn.Module = getattr(nn, name)()
    return module


def _unreduced(fn: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
    if getattr(fn, "reduction", None) != "mean":
        raise ComponentError("loss.torch: mask_path needs a loss whose reduction is 'mean'")
    unreduced = copy(fn)
    unreduced.reduction = "none"  # type: ignore[attr-defined]
    return unreduced
