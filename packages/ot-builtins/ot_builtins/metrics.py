"""Metrics: sums over batches that stay on the device until the end of a validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from offline_trainer_core.errors import ComponentError, DataError
from offline_trainer_core.spelling import did_you_mean
from offline_trainer_core.types import Stage
from ot_builtins.extras import import_extra
from ot_builtins.masks import counted
from ot_builtins.places import Path, pick, select_or_explain

__all__ = ["Accuracy", "MeanAbsoluteError", "MeanSquaredError", "TorchMetrics"]


class _ElementMean(ABC):
    """The mean, over all samples of all processes, of a value that every element of a prediction has.

    Args:
        name: What it is called in the log.
        pred_path: Where in the outputs the prediction is; not needed with a single output.
        target_path: Where in the targets the target is; not needed with a single target.
        mask_path: Where in the batch a mask of padding is, `(B,)` or `(B, T)`, True for what does not count.
        stages: When it is updated: `val`, `train`, or both.

    Raises:
        DataError: A path does not exist, or shapes do not fit.
    """

    default_name: ClassVar[str]

    def __init__(
        self,
        name: str | None = None,
        pred_path: Path | None = None,
        target_path: Path | None = None,
        mask_path: Path | None = None,
        stages: Sequence[Literal["train", "val"]] = ("val",),
    ) -> None:
        self.name = name or self.default_name
        self.stages = tuple(stages)
        self._pred_path, self._target_path, self._mask_path = pred_path, target_path, mask_path
        self._sum: Tensor | float = 0.0
        self._count: Tensor | int = 0

    @abstractmethod
    def values(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the value of every element."""

    @torch.no_grad()
    def update(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> None:
        """Add a batch; nothing is read from the device."""
        prediction = pick(outputs, self._pred_path, f"metric {self.name}: pred_path", "outputs")
        target = pick(targets, self._target_path, f"metric {self.name}: target_path", "targets")
        values = self.values(prediction, target)
        if self._mask_path is None:
            self._count += values.numel()
        else:
            role = f"metric {self.name}: mask_path"
            counts = counted(select_or_explain(batch, self._mask_path, role), values, role)
            values = values.where(counts, 0.0)
            self._count += counts.sum()
        self._sum += values.sum(dtype=torch.float64)

    def reduce(self, collectives: Any) -> None:
        """Add the sums of all processes; on the CPU, since one that saw no batch has them on no device."""
        sums = torch.stack([torch.as_tensor(part, dtype=torch.float64).cpu() for part in (self._sum, self._count)])
        self._sum, self._count = collectives.all_reduce_sum(sums).unbind()

    def compute(self) -> dict[str, Tensor]:
        """Return the mean since `reset`; NaN where nothing was counted."""
        return {self.name: torch.as_tensor(self._sum, dtype=torch.float64) / self._count}

    def reset(self) -> None:
        """Begin again."""
        self._sum, self._count = 0.0, 0

    def state_dict(self) -> dict[str, float]:
        return {"sum": float(self._sum), "count": int(self._count)}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        self._sum, self._count = state["sum"], int(state["count"])

    def _refuse_unequal(self, prediction: Tensor, target: Tensor) -> None:
        if prediction.shape != target.shape:
            shapes = f"{tuple(prediction.shape)} and the target {tuple(target.shape)}"
            raise DataError(f"metric {self.name}: the output is {shapes}; they must be equal")


class MeanAbsoluteError(_ElementMean):
    """The mean absolute error of predictions of any shape, in the units of the target; named `mae`."""

    default_name = "mae"

    def values(self, prediction: Tensor, target: Tensor) -> Tensor:
        self._refuse_unequal(prediction, target)
        return (prediction - target).abs()


class MeanSquaredError(_ElementMean):
    """The mean squared error of predictions of any shape, in the squared units of the target; named `mse`."""

    default_name = "mse"

    def values(self, prediction: Tensor, target: Tensor) -> Tensor:
        self._refuse_unequal(prediction, target)
        return (prediction - target).square()


class Accuracy(_ElementMean):
    """The part of samples whose highest score is that of their class; named `accuracy`.

    Shapes: scores `(B, C)` or `(B, C, ...)`, classes `(B,)` or `(B, ...)`, as for `nn.CrossEntropyLoss`.
    """

    default_name = "accuracy"

    def values(self, prediction: Tensor, target: Tensor) -> Tensor:
        if prediction.ndim < 2 or prediction.shape[:1] + prediction.shape[2:] != target.shape:
            shapes = f"{tuple(prediction.shape)} and the classes {tuple(target.shape)}"
            raise DataError(f"metric {self.name}: the scores are {shapes}; they must be (B, C, ...) and (B, ...)")
        return (prediction.argmax(dim=1) == target).double()


class TorchMetrics:
    """Any metric of torchmetrics, called with (prediction, target).

    A metric that computes several numbers gives one for each: `<name>_<key>` or `<name>_<index>`.

    Args:
        type: The class of `torchmetrics` by name, such as `R2Score`.
        kwargs: Its keyword arguments.
        name: What it is called in the log; by default the class's name.
        pred_path: Where in the outputs the prediction is; not needed with a single output.
        target_path: Where in the targets the target is; not needed with a single target.
        stages: When it is updated: `val`, `train`, or both.

    Raises:
        ComponentError: torchmetrics is not installed, has no such metric, or refuses the arguments.
    """

    def __init__(
        self,
        type: str,  # noqa: A002 - the name in the configuration
        kwargs: Mapping[str, Any] | None = None,
        name: str | None = None,
        pred_path: Path | None = None,
        target_path: Path | None = None,
        stages: Sequence[Literal["train", "val"]] = ("val",),
    ) -> None:
        library = import_extra("torchmetrics", "torchmetrics", "metric.torchmetrics")
        if type not in library.__all__:
            raise ComponentError(f"metric.torchmetrics: no metric '{type}'{did_you_mean(type, library.__all__)}")
        try:
            # Synchronised in `reduce`, which every process calls, and not in `compute`.
            self._metric = getattr(library, type)(**(kwargs or {}), sync_on_compute=False)
        except (TypeError, ValueError) as error:
            raise ComponentError(f"metric.torchmetrics: {type}: {error}") from error
        self.name = name or type
        self.stages = tuple(stages)
        self._pred_path, self._target_path = pred_path, target_path

    @torch.no_grad()
    def update(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> None:
        """Add a batch."""
        prediction = pick(outputs, self._pred_path, f"metric {self.name}: pred_path", "outputs")
        target = pick(targets, self._target_path, f"metric {self.name}: target_path", "targets")
        self._metric.to(prediction.device).update(prediction, target)

    def reduce(self, collectives: Any) -> None:
        """Bring the states of all processes together."""
        self._metric.sync()

    def compute(self) -> dict[str, Any]:
        """Return the value since `reset`, or the values by name."""
        value = self._metric.compute()
        if isinstance(value, Mapping):
            return {f"{self.name}_{key}": part for key, part in value.items()}
        if isinstance(value, Tensor) and value.numel() > 1:
            return {f"{self.name}_{index}": part for index, part in enumerate(value.flatten())}
        return {self.name: value}

    def reset(self) -> None:
        """Begin again."""
        self._metric.reset()

    def state_dict(self) -> dict[str, Any]:
        return {"held": [_held(metric) for metric in self._all()]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for metric, held in zip(self._all(), state["held"], strict=True):
            vars(metric).update(held)

    def _all(self) -> list[Any]:
        """Return the metric and those that it is made of."""
        return [module for module in self._metric.modules() if hasattr(module, "_update_count")]


def _held(metric: Any) -> dict[str, Any]:
    """Return the numbers that a metric of torchmetrics has gathered; its own `state_dict` has not all of them."""
    return {
        name: value
        for name, value in vars(metric).items()
        if isinstance(value, (Tensor, int, float, NoneType))
        or (isinstance(value, list) and all(isinstance(item, Tensor) for item in value))
    }
