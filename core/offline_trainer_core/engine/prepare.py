"""From finished parts to a session that can train: placed, shaped, wrapped, given optimizers, restored."""

from __future__ import annotations

import inspect
import math
from collections import ChainMap
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from offline_trainer_core.engine.batches import epoch_batches, length_of, mover
from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.guard import Reaction
from offline_trainer_core.engine.materialise import materialise
from offline_trainer_core.engine.slot import OptimizerSlot
from offline_trainer_core.engine.validation import of_stage
from offline_trainer_core.errors import ComponentError, DataError
from offline_trainer_core.nest import parse_part
from offline_trainer_core.networks import ModelOptions, Normalizer, freeze, initialise, load_weights_into
from offline_trainer_core.signature.parts import call_with_parts

__all__ = [
    "FirstBatch",
    "LoopSettings",
    "Workshop",
    "count_steps",
    "furnish",
    "normalizer_of",
    "place_data",
    "set_up_algorithm",
    "shape_models",
]

Parts = Mapping[str, Any]


@dataclass(frozen=True)
class LoopSettings:
    """What a trainer decides about updates. Counts are in optimizer steps."""

    max_epochs: int | None = None
    max_steps: int | None = None
    grad_accum_steps: int = 1
    grad_clip_norm: float | None = None
    optim_steps_per_batch: int = 1
    on_nonfinite: Reaction = "raise"


@dataclass
class Workshop:
    """Everything a session works with, ready for use."""

    train_loader: Any
    val_loader: Any
    replicas: dict[str, nn.Module]
    """What to call in training: the models, wrapped by the strategy where they have gradients."""
    slots: dict[str, OptimizerSlot]
    train_metrics: Mapping[str, Any]

    def learning_rates(self) -> dict[str, float]:
        """Return that of every optimizer, by the name that it is logged under."""
        rates = {f"lr/{name}": slot.optimizer.param_groups[0]["lr"] for name, slot in self.slots.items()}
        return rates if len(rates) != 1 else {"lr": next(iter(rates.values()))}

    def close(self) -> None:
        """Let the loaders end what outlives an epoch."""
        for loader in (self.train_loader, self.val_loader):
            if hasattr(loader, "close"):
                loader.close()


def furnish(parts: Parts, context: RunContext, settings: LoopSettings) -> Workshop:
    """Place data and models, fill open dimensions, wrap, and build optimizers; the order is part of the contract."""
    train_loader, val_loader = place_data(parts["datamodule"], context)
    context.steps_per_epoch, context.max_steps = count_steps(train_loader, settings)
    context.max_epochs = settings.max_epochs
    context.normalizer = normalizer_of(parts, context)
    shape_models(parts, context, FirstBatch(train_loader, context))
    replicas = _replicas(parts, context)
    set_up_algorithm(parts, context, replicas)
    slots = _optimizers(parts, context.models, context.max_steps)
    context.optimizers = {name: slot.optimizer for name, slot in slots.items()}
    context.schedulers = {name: slot.schedule for name, slot in slots.items() if slot.schedule is not None}
    return Workshop(train_loader, val_loader, replicas, slots, deepcopy(of_stage(context.metrics, "train")))


def place_data(datamodule: Any, context: RunContext) -> tuple[Any, Any]:
    """Return the loaders of training and, where there is one, of validation; raises `DataError` on an empty one."""
    run = context.run
    if hasattr(datamodule, "place"):
        datamodule.place(seed=run.seed, rank=run.rank, world_size=run.world_size, device=run.device)
    elif run.world_size > 1:
        raise ComponentError(
            f"{type(datamodule).__name__} has no 'place', so {run.world_size} processes would all train on the same "
            "batches; give it place(*, seed, rank, world_size, device), or run on one process"
        )
    datamodule.setup("fit")
    train_loader = datamodule.train_dataloader()
    if length_of(train_loader) == 0:
        raise DataError("the training data has no batch: it is empty, or smaller than one batch")
    val_loader = datamodule.val_dataloader()
    if val_loader is not None and length_of(val_loader) == 0:
        raise DataError("the validation data has no batch: it is empty, or smaller than one batch")
    return train_loader, val_loader


def count_steps(loader: Any, settings: LoopSettings) -> tuple[int | None, int | None]:
    """Return the optimizer steps of an epoch and of the whole run, each None where it is unknown."""
    length = length_of(loader)
    if length is None:
        return None, settings.max_steps
    per_epoch = math.ceil(length / settings.grad_accum_steps) * settings.optim_steps_per_batch
    totals = [settings.max_steps, settings.max_epochs and settings.max_epochs * per_epoch]
    return per_epoch, min((total for total in totals if total is not None), default=None)


def normalizer_of(parts: Parts, context: RunContext) -> Normalizer:
    """Return what normalizes batches as `normalize` and `relative` say, by the statistics of the data."""
    fields: Mapping[str, str] = parts.get("normalize") or {}
    relative: Mapping[str, str] = parts.get("relative") or {}
    statistics = (getattr(context.datamodule, "stats", None) or {}) if fields else {}
    scaled = [field for field in relative if fields.get(field, "none") != "none"]
    differences = {field: _of_differences(field, relative[field], context.datamodule) for field in scaled}
    # In front of the others, which may be computed when they are asked for.
    return Normalizer(fields, ChainMap(differences, statistics), relative).to(context.run.device)


def _of_differences(field: str, reference: str, datamodule: Any) -> Mapping[str, Tensor]:
    if not hasattr(datamodule, "relative_stats"):
        raise DataError(
            f"relative.{field}: {type(datamodule).__name__} has no 'relative_stats', so there are no statistics of "
            f"differences from '{reference}': take '{field}' out of normalize or relative"
        )
    statistics: Mapping[str, Tensor] = datamodule.relative_stats(field, *parse_part(reference))
    return statistics


def shape_models(parts: Parts, context: RunContext, first_batch: FirstBatch) -> None:
    """Place the models, fill open dimensions, give them their first weights, and freeze what is not trained."""
    device, models = context.run.device, context.models
    options: Mapping[str, ModelOptions] = parts.get("model_options") or {}
    for model in models.values():
        model.to(device)
    materialise(models, context.algorithm, first_batch.normalized, parts)
    for name, model in models.items():
        chosen = options.get(name, ModelOptions())
        if chosen.init is not None:
            initialise(model, chosen.init)
        load_weights_into(model, name, chosen)
        model.train()
        if chosen.freeze:
            freeze(model)
    for factory, model in _assignments(parts, models).values():
        if hasattr(factory, "freeze"):
            factory.freeze(model)


class FirstBatch:
    """The first batch of training, read when it is asked for."""

    def __init__(self, loader: Any, context: RunContext) -> None:
        self._loader = loader
        self._context = context

    @cached_property
    def raw(self) -> Any:
        """The batch as the data gives it, on the device."""
        batch, _ = next(epoch_batches(self._loader, epoch=0))
        return mover(self._context.run.device, self._loader)(batch)

    def normalized(self) -> Any:
        """Return the batch as algorithms get it."""
        assert self._context.normalizer is not None
        return self._context.normalizer(self.raw)


def has_gradients(model: nn.Module) -> bool:
    """Whether any parameter of `model` is trained."""
    return any(p.requires_grad for p in model.parameters())


def _replicas(parts: Parts, context: RunContext) -> dict[str, nn.Module]:
    strategy, device = parts["strategy"], context.run.device
    replicas = {
        name: strategy.wrap(model, device) if has_gradients(model) else model for name, model in context.models.items()
    }
    compile_options = parts.get("compile")
    if compile_options:
        options = compile_options if isinstance(compile_options, Mapping) else {}
        for replica in replicas.values():
            replica.compile(**options)
    return replicas


def set_up_algorithm(parts: Parts, context: RunContext, replicas: dict[str, nn.Module]) -> None:
    """Give the algorithm the parts that it asks for; `replicas` are its models, as they are called in training."""
    algorithm = context.algorithm
    if hasattr(algorithm, "setup"):
        mine = {**parts, "models": replicas, "modules": context.models, "model": next(iter(replicas.values()))}
        call_with_parts(algorithm.setup, mine)


def _assignments(parts: Parts, models: dict[str, nn.Module]) -> dict[str, tuple[Any, nn.Module]]:
    """Return for every optimizer its factory and what it trains: one for each name, or one for everything."""
    factory = parts.get("optimizer_factory")
    trained = {name: model for name, model in models.items() if has_gradients(model)}
    if factory is None or not trained:
        return {}
    if not isinstance(factory, Mapping):
        return {name: (factory, model) for name, model in trained.items()} if len(trained) == 1 else {
            "model": (factory, nn.ModuleDict(trained))
        }  # fmt: skip
    idle = sorted(trained.keys() - factory.keys())
    if idle:
        raise ComponentError(f"model {idle[0]!r} has no optimizer: add one under 'optimizer', or set 'freeze: true'")
    return {name: (factory[name], trained[name]) for name in factory if name in trained}


def _optimizers(parts: Parts, models: dict[str, nn.Module], total_steps: int | None) -> dict[str, OptimizerSlot]:
    scheduler, registry = parts.get("scheduler_factory"), parts["registry"]
    renewed = bool(parts["run"].renewed & {"optimizer", "scheduler"})
    slots = {}
    for name, (factory, model) in _assignments(parts, models).items():
        optimizer = factory.build(model, registry=registry)
        names = _names_of_parameters(optimizer, model)
        schedule = scheduler.get(name) if isinstance(scheduler, Mapping) else scheduler
        known = {"total_steps": total_steps} if _asks_for_total_steps(schedule) else {}
        bundle = schedule.build(optimizer, registry=registry, **known) if schedule is not None else None
        slots[name] = OptimizerSlot(name, optimizer, bundle, names, known.get("total_steps"), renewed)
    return slots


def _names_of_parameters(optimizer: torch.optim.Optimizer, model: nn.Module) -> tuple[str, ...]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return tuple(names.get(id(parameter), f"number {index}") for index, parameter in enumerate(parameters))


def _asks_for_total_steps(schedule: Any) -> bool:
    return schedule is not None and "total_steps" in inspect.signature(schedule.build).parameters
