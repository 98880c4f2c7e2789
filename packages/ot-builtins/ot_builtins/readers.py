"""What `ot check` may know of the built-in components without importing them: what they read, and what they offer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from offline_trainer_core import join_path

__all__ = ["Reading"]

Arguments = Mapping[str, Any]
Read = tuple[str, str, Any]


@dataclass
class Reading:
    """What a reader hands back; docs/authors.md says what each attribute means."""

    fields: Iterable[str] | None = None
    calls: tuple[int, Mapping[str, str]] | None = None
    targets: Iterable[str] | None = None
    trains: str | None = None
    reports: Iterable[str] | None = None
    reads: list[Read] = field(default_factory=list)
    hands: list[tuple[str, str, list[str]]] = field(default_factory=list)
    problems: list[tuple[str, str, str, str | None]] = field(default_factory=list)


def read_random_regression(arguments: Arguments) -> Reading:
    """Batches of `data.random_regression`."""
    return Reading(fields=("x", "y"))


def read_tensors(arguments: Arguments) -> Reading:
    """Batches of `data.tensors`: its `fields`, or those of a mapping in the place of a file."""
    named, data = _mapping(arguments, "fields"), arguments.get("data")
    if named is None and isinstance(data, Mapping):
        named = {name: name for name in data if name != "episode_ends"}
    return Reading(fields=named, reads=_named_fields(arguments))


def read_episodes(arguments: Arguments) -> Reading:
    """Batches of `data.episodes`: its `fields`, and a mask beside each that is a chunk."""
    named, chunked = _mapping(arguments, "fields"), arguments.get("chunked", ["action"])
    if named is None or not isinstance(chunked, list):
        return Reading()
    masks = [f"{name}_is_pad" for name in chunked]
    reads: list[Read] = [
        (f"chunked[{index}]", "batch", [name]) for index, name in enumerate(arguments.get("chunked", ()))
    ]
    return Reading(fields=[*named, *masks], reads=[*reads, *_named_fields(arguments)])


def read_lerobot(arguments: Arguments) -> Reading:
    """Batches of `data.lerobot`, which are those of `data.episodes`; a cache on disk needs a folder."""
    reading = read_episodes(arguments)
    if arguments.get("cache") == "disk" and arguments.get("cache_dir") is None:
        message = "'cache: disk' needs 'cache_dir', the folder in which decoded frames are kept"
        reading.problems.append(("cache", "missing-key", message, None))
    return reading


def read_mapping(arguments: Arguments) -> Reading:
    """What `io.mapping` takes from a batch, for the model's arguments and for targets."""
    named, targets = arguments.get("model_kwargs") or {}, arguments.get("targets") or {}
    positional = arguments.get("model_args") or []
    if not (isinstance(named, Mapping) and isinstance(targets, Mapping) and isinstance(positional, list)):
        return Reading()
    reads: list[Read] = [(f"model_args[{index}]", "batch", path) for index, path in enumerate(positional)]
    reads += [(join_path("model_kwargs", name), "batch", path) for name, path in named.items()]
    reads += [(join_path("targets", name), "batch", path) for name, path in targets.items()]
    return Reading(
        calls=(len(positional), {name: join_path("model_kwargs", name) for name in named}), targets=targets, reads=reads
    )


def read_loss(arguments: Arguments) -> Reading:
    """What `loss.torch` compares, and the mask that it reads; it reports nothing beside the loss."""
    return Reading(reports=(), reads=_compared(arguments))


def read_mean_absolute_error(arguments: Arguments) -> Reading:
    """What `metric.mean_absolute_error` compares and reports."""
    return _element_mean(arguments, "mae")


def read_mean_squared_error(arguments: Arguments) -> Reading:
    """What `metric.mean_squared_error` compares and reports."""
    return _element_mean(arguments, "mse")


def read_accuracy(arguments: Arguments) -> Reading:
    """What `metric.accuracy` compares and reports."""
    return _element_mean(arguments, "accuracy")


def read_torchmetrics(arguments: Arguments) -> Reading:
    """What `metric.torchmetrics` compares; how many numbers it reports is the metric's own affair."""
    reading, wanted = Reading(reads=_compared(arguments)), arguments.get("type")
    known = _names_of_torchmetrics()
    if known and isinstance(wanted, str) and wanted not in known:
        # Only who makes a mistake pays for this import.
        from offline_trainer_core.spelling import nearest

        message = f"torchmetrics has no metric '{wanted}'"
        reading.problems.append(("type", "unknown-component", message, nearest(wanted, known)))
    return reading


def read_torch_optimizer(arguments: Arguments) -> Reading:
    """The `param_groups` of `optim_factory.torch`: whom they match, and what they hand on to the optimizer class."""
    groups, key = arguments.get("param_groups", ()), f"optim_cls.{arguments.get('type')}"
    reading = Reading()
    for index, group in enumerate(groups if isinstance(groups, list) else ()):
        if isinstance(group, Mapping):
            where = f"param_groups[{index}]"
            reading.hands.append((where, key, [name for name in group if name not in ("match", "freeze")]))
            if "match" not in group:
                message = "a group of parameters needs 'match': a glob over their names, or 're:<regular expression>'"
                reading.problems.append((where, "missing-key", message, None))
    return reading


def read_supervised(arguments: Arguments) -> Reading:
    """The model component that `algo.supervised` trains, if it is told which, and the field that it acts in."""
    model = arguments.get("model")
    reads: list[Read] = [("model", "models", [model])] if isinstance(model, str) else []
    if isinstance(arguments.get("action_field"), str):
        reads.append(("action_field", "batch", arguments["action_field"]))
    return Reading(trains=model if isinstance(model, str) else None, reports=("loss",), reads=reads)


def read_monitor(arguments: Arguments) -> Reading:
    """The number of validation that a callback or scheduler watches; scores of evaluations are not known."""
    monitor = arguments.get("monitor")
    if not isinstance(monitor, str) or monitor.startswith("eval/"):
        return Reading()
    return Reading(reads=[("monitor", "validation", [monitor.removeprefix("val/")])])


def read_early_stopping(arguments: Arguments) -> Reading:
    """The number that `cb.early_stopping` watches, `loss` by default."""
    return read_monitor({"monitor": "loss", **arguments})


def read_gymnasium(arguments: Arguments) -> Reading:
    """The fields of a batch in whose place `eval.gymnasium` puts observations; it executes chunks in one way."""
    observation = _mapping(arguments, "observation") or {}
    reading = Reading(reads=[(join_path("observation", name), "batch", name) for name in observation])
    if arguments.get("action_horizon") is not None and arguments.get("temporal_ensemble") is not None:
        message = "'action_horizon' and 'temporal_ensemble' exclude each other"
        reading.problems.append(("temporal_ensemble", "conflicting-keys", message, None))
    return reading


def read_open_loop(arguments: Arguments) -> Reading:
    """The field of a batch that `eval.open_loop` compares actions with."""
    place = "action_field" if "action_field" in arguments else ""
    return Reading(reads=[(place, "batch", arguments.get("action_field", "action"))])


def _element_mean(arguments: Arguments, default_name: str) -> Reading:
    stages = arguments.get("stages", ["val"])
    of_validation = isinstance(stages, Sequence) and "val" in stages
    return Reading(
        reports=(str(arguments.get("name") or default_name),) if of_validation else (), reads=_compared(arguments)
    )


def _compared(arguments: Arguments) -> list[Read]:
    sources = {"pred_path": "outputs", "target_path": "targets", "mask_path": "batch"}
    return [(name, source, arguments[name]) for name, source in sources.items() if arguments.get(name) is not None]


def _named_fields(arguments: Arguments) -> list[Read]:
    """The fields that `dtypes` names: it can name those of the data only."""
    return [(join_path("dtypes", name), "batch", [name]) for name in _mapping(arguments, "dtypes") or ()]


def _names_of_torchmetrics() -> list[str]:
    """Return the metrics that torchmetrics lists in its source, which is not imported; nothing where it has none."""
    from importlib.util import find_spec

    spec = find_spec("torchmetrics")
    if spec is None or not spec.origin:
        return []
    with open(spec.origin, encoding="utf-8") as stream:
        source = stream.read()
    listed = re.search(r"^__all__ = \[(.*?)\]", source, re.MULTILINE | re.DOTALL)
    return re.findall(r'"(\w+)"', listed[1]) if listed else []


def _mapping(arguments: Arguments, name: str) -> Mapping[str, Any] | None:
    value = arguments.get(name)
    return value if isinstance(value, Mapping) else None
