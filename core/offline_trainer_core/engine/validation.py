"""Validation: means over all samples of all processes, and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from offline_trainer_core.distributed import Collectives, agree_on_names
from offline_trainer_core.engine.batches import batch_size_of, epoch_batches, mover
from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.logs import to_floats
from offline_trainer_core.engine.precision import Precision

__all__ = ["compute_metrics", "eval_mode", "of_stage", "validation_means"]


@contextmanager
def eval_mode(context: RunContext) -> Iterator[None]:
    """Put every model in eval mode, and each of its modules back into the mode that it had."""
    modes = [(module, module.training) for model in context.models.values() for module in model.modules()]
    for model in context.models.values():
        model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@torch.no_grad()
def validation_means(
    context: RunContext, loader: Any, precision: Precision, given_up: Callable[[int], bool] = lambda batch: False
) -> dict[str, float] | None:
    """Return the mean of the algorithm's validation logs over all samples, and the metrics.

    `given_up(batch)` is asked before every batch: where it is true the metrics forget everything, and None is returned.
    """
    move, validate, normalize = mover(context.run.device, loader), context.algorithm.validate, context.normalizer
    metrics = of_stage(context.metrics, "val")
    sums: dict[str, Any] = {}
    samples = 0
    for index, (batch, _) in enumerate(epoch_batches(loader, epoch=0)):
        if given_up(index):
            for metric in metrics.values():
                metric.reset()
            return None
        batch = move(batch)
        size = batch_size_of(batch)
        if normalize is not None:
            batch = normalize(batch)
        with precision.autocast():
            logs, outputs, targets = validate(batch)
        for name, value in logs.items():
            sums[name] = sums.get(name, 0.0) + value * size
        samples += size
        for metric in metrics.values():
            metric.update(outputs=outputs, targets=targets, batch=batch, stage="val")
    means = _means(sums, samples, context)
    return {**means, **compute_metrics(metrics, context.collectives)}


def _means(sums: Mapping[str, Any], samples: int, context: RunContext) -> dict[str, float]:
    device = context.run.device
    names = agree_on_names(sums, "values in validation", context.collectives, none_is_fine=True)
    values = [torch.as_tensor(sums.get(name, 0.0), dtype=torch.float64).cpu() for name in names]
    totals = torch.stack([*values, torch.tensor(float(samples), dtype=torch.float64)])
    totals = context.collectives.all_reduce_sum(totals.to("cpu" if device.type != "cuda" else device, torch.float64))
    *numerators, count = totals.tolist()
    read = dict(zip(names, numerators, strict=True))
    return {name: read[name] / count for name in sums or names} if count else {}


def of_stage(metrics: Mapping[str, Any], stage: str) -> dict[str, Any]:
    """Return those of `metrics` whose `stages` name `stage`; without `stages` it is validation alone."""
    return {name: metric for name, metric in metrics.items() if stage in getattr(metric, "stages", ("val",))}


def compute_metrics(metrics: Mapping[str, Any], collectives: Collectives) -> dict[str, float]:
    """Reduce, compute and reset `metrics`."""
    values: dict[str, float] = {}
    for metric in metrics.values():
        if hasattr(metric, "reduce"):
            metric.reduce(collectives)
        values.update(to_floats(metric.compute()))
        metric.reset()
    return values
