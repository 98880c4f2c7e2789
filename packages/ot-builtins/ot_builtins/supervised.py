"""Supervised learning, behaviour cloning included: minimise `loss(model(inputs), targets)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from offline_trainer_core.errors import ComponentError

__all__ = ["Supervised"]


class Supervised:
    """One model, one loss: what an update is when a configuration has `io` and `loss` and no `algorithm`.

    With demonstrations as data it is behaviour cloning (Pomerleau 1988). Several optimizers all step on the
    same loss.

    Args:
        model: Name of the model component to train, where there are several.
        action_field: Batch field that the outputs predict, for acting in the units of the data.
    """

    def __init__(self, model: str | None = None, action_field: str = "action") -> None:
        self._name = model
        self.action_field = action_field

    def setup(
        self, *, models: Mapping[str, nn.Module], modules: Mapping[str, nn.Module], io: Any = None, loss: Any = None
    ) -> None:
        """Take the parts of the run; raises `ComponentError` where one is missing."""
        name = self._chosen(models)
        if io is None or loss is None:
            raise ComponentError("algo.supervised needs the sections 'io' and 'loss'")
        self._model, self._module = models[name], modules[name]
        self._split, self._loss = io.split, loss

    def _chosen(self, models: Mapping[str, nn.Module]) -> str:
        if self._name is None and len(models) == 1:
            return next(iter(models))
        if self._name in models:
            return str(self._name)
        raise ComponentError(f"algo.supervised: model is {self._name!r}; it must be one of: {', '.join(models)}")

    def materialize(self, *, batch: Any, models: Mapping[str, nn.Module], io: Any) -> None:
        """Run the model once on a batch."""
        inputs, _, _ = io.split(batch, stage="train")
        models[self._chosen(models)](*inputs.args, **inputs.kwargs)

    def update(self, batch: Any, step: Any) -> Mapping[str, Tensor]:
        """Make one step on one batch."""
        inputs, targets, _ = self._split(batch, stage="train")
        outputs = self._model(*inputs.args, **inputs.kwargs)
        result = self._loss(outputs=outputs, targets=targets, batch=batch, stage="train")
        step.optimize(step.optimizers, result.loss)
        step.observe(outputs=outputs, targets=targets, batch=batch)
        return {"loss": result.loss, **result.logs} if result.logs else {"loss": result.loss}

    def validate(self, batch: Any) -> tuple[Mapping[str, Any], Any, Any]:
        """Score one batch without training."""
        inputs, targets, _ = self._split(batch, stage="val")
        outputs = self._module(*inputs.args, **inputs.kwargs)
        result = self._loss(outputs=outputs, targets=targets, batch=batch, stage="val")
        return {"loss": result.loss, **result.logs}, outputs, targets

    def act(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Map normalized observations `{field: (B, ...)}` to normalized actions, or chunks of them."""
        inputs, _, _ = self._split(observation, stage="predict")
        outputs: Tensor = self._module(*inputs.args, **inputs.kwargs)
        return outputs
