"""A policy in the state in which training would begin, and one real batch for it: what there is to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.prepare import FirstBatch, normalizer_of, place_data, set_up_algorithm, shape_models
from offline_trainer_core.networks import Normalizer
from offline_trainer_core.types import RunInfo

__all__ = ["Specimen", "take_specimen"]


@dataclass(frozen=True)
class Specimen:
    """The networks of a run before its first step, the algorithm that works with them, and one real batch."""

    models: Mapping[str, nn.Module]
    """Every model component by its name: of full shape, with its first weights, frozen where the configuration says."""
    algorithm: Any
    """Set up with these models, as they are: without wrappers, not compiled."""
    normalizer: Normalizer
    raw_batch: Any
    """The first batch of training as the data gives it, on the device of the run."""
    batch: Any
    """The same batch as algorithms get it: normalized."""
    run: RunInfo


def take_specimen(parts: Mapping[str, Any]) -> Specimen:
    """Prepare models and algorithm as for training, on one process; nothing is trained and nothing written."""
    context = RunContext.of(parts)
    train_loader, _ = place_data(parts["datamodule"], context)
    context.normalizer = normalizer_of(parts, context)
    first = FirstBatch(train_loader, context)
    shape_models(parts, context, first)
    set_up_algorithm(parts, context, context.models)
    return Specimen(context.models, context.algorithm, context.normalizer, first.raw, first.normalized(), parts["run"])
