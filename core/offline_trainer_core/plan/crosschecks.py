"""Layer 4: what must hold between the sections of a configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from offline_trainer_core.config import MappingNode, join_path
from offline_trainer_core.durations import FORMS, seconds_of
from offline_trainer_core.errors import Problem
from offline_trainer_core.naming import flaw_of_name
from offline_trainer_core.plan.calling import handed_options, model_inputs
from offline_trainer_core.plan.document import Document, is_spec
from offline_trainer_core.plan.exchange import what_is_read
from offline_trainer_core.plan.fields import shortened
from offline_trainer_core.plan.invoking import component_inputs
from offline_trainer_core.plan.names import Names
from offline_trainer_core.plan.sections import NORMALIZATIONS
from offline_trainer_core.spelling import nearest

__all__ = ["CROSS_CHECKS", "cross_check"]

DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def cross_check(document: Document, names: Names) -> Iterator[Problem]:
    """Yield everything that does not go together."""
    for check in CROSS_CHECKS:
        yield from check(document, names)


def required_sections(document: Document, names: Names) -> Iterator[Problem]:
    """`io`, `loss` and `optimizer` are needed where no algorithm is given, `data` by the default trainer."""
    sections = document.config.root.items
    supervised = "algorithm" not in sections or document.config.plain("algorithm") is None
    trainer = next((mention.key for mention, _ in names.resolved if mention.place == "trainer"), "trainer.default")
    needed = [("data", "trainer.default trains on it")] if trainer == "trainer.default" else []
    if supervised:
        needed += [(key, "it is needed where no algorithm is named") for key in ("io", "loss", "optimizer")]
    for key, why in needed:
        if document.config.plain(key) is None:
            message = f"the section '{key}' is missing: {why}"
            yield document.problem("missing-section", message, key, fix=f"add {key}: {{_type_: ...}}")


def inputs_of_models(document: Document, names: Names) -> Iterator[Problem]:
    """Models are called with what they take, by `io` or by an algorithm."""
    yield from model_inputs(document, names)
    yield from component_inputs(document, names)


def device(document: Document, names: Names) -> Iterator[Problem]:
    """The device is one that can be named, and `fp16-mixed` needs a GPU."""
    name = document.config.plain("run.device")
    if not isinstance(name, str):
        return
    if not DEVICE.fullmatch(name):
        allowed = "auto, cpu, cuda, cuda:N"
        cuda = name.casefold().replace("gpu", "cuda")
        meant = cuda if DEVICE.fullmatch(cuda) else nearest(name, ["auto", "cpu", "cuda"])
        yield document.problem(
            "wrong-device", f"there is no device '{name}'", "run.device", suggestion=meant, allowed=allowed
        )
    elif name == "cpu" and document.config.plain("run.precision") == "fp16-mixed":
        message = "fp16-mixed needs cuda, and run.device is cpu"
        yield document.problem(
            "precision-device", message, "run.precision", fix="precision: bf16-mixed, or device: cuda"
        )


def durations(document: Document, names: Names) -> Iterator[Problem]:
    """Times are written as they are read."""
    for place in ("run.time_limit", "run.process_timeout"):
        text = document.config.plain(place)
        if not isinstance(text, (str, int)) or isinstance(text, bool):
            continue
        try:
            seconds_of(text)
        except ValueError:
            message = f"'{shortened(str(text))}' is no duration"
            yield document.problem(
                "wrong-duration",
                message,
                place,
                allowed=FORMS,
                fix=f"write {place.removeprefix('run.')}: 3:50:00 for 3 hours and 50 minutes",
            )


def names_of_files(document: Document, names: Names) -> Iterator[Problem]:
    """The run's folder and the files of its models can have their names, which so lead nowhere else."""
    name = document.config.plain("run.name")
    if isinstance(name, str) and (rule := flaw_of_name(name)) is not None:
        message = f"'{shortened(name)}' cannot be the name of a folder in run.out_dir"
        yield document.problem("wrong-name", message, "run.name", fix=rule)
    for name in _components(document):
        if (rule := flaw_of_name(name)) is not None:
            message, place = f"'{shortened(name)}' cannot be in the name of a file", join_path("model.components", name)
            yield document.problem("wrong-name", message, place, at_key=True, fix=rule)


def monitored_intervals(document: Document, names: Names) -> Iterator[Problem]:
    """A scheduler that steps on a metric says which."""
    for mention, entry in names.resolved:
        _, kwargs, paths = mention.arguments()
        if entry.kind == "sched_factory" and kwargs.get("interval") == "metric" and not kwargs.get("monitor"):
            message = "'interval: metric' needs 'monitor': the metric to step on"
            yield mention.document.problem("missing-monitor", message, paths["interval"], fix="monitor: val/loss")


def normalized_fields(document: Document, names: Names) -> Iterator[Problem]:
    """A field is normalized in a known way, or as another field is."""
    fields = document.config.plain("normalize")
    for field, mode in fields.items() if isinstance(fields, dict) else ():
        as_another = fields.get(mode) in NORMALIZATIONS[:-1] if isinstance(mode, str) else True
        if mode not in NORMALIZATIONS and not as_another:
            meant = nearest(mode, [*NORMALIZATIONS, *fields])
            allowed = f"{', '.join(NORMALIZATIONS)}, or a field that is normalized by one of them"
            message, place = f"there is no normalization '{mode}'", join_path("normalize", field)
            yield document.problem("wrong-normalization", message, place, suggestion=meant, allowed=allowed)


def optimizer_names(document: Document, names: Names) -> Iterator[Problem]:
    """A mapping of optimizers has the names of model components that are not frozen."""
    components = document.config.plain("model.components")
    models = list(components) if isinstance(components, dict) else ["model"]
    for name in _names_of(document, "optimizer") or ():
        place = join_path("optimizer", name)
        if name not in models:
            yield _no_such(document, place, name, models, "model component")
        elif document.config.plain(f"{join_path('model.components', name)}.freeze") is True:
            message = f"the model component '{name}' is frozen, so there is nothing to optimize"
            fix = f"take out {place}, or set {join_path('model.components', name)}.freeze: false"
            yield document.problem("frozen-optimizer", message, place, at_key=True, fix=fix)


def scheduler_names(document: Document, names: Names) -> Iterator[Problem]:
    """A mapping of schedulers has the names of optimizers."""
    schedulers, optimizers = _names_of(document, "scheduler"), _names_of(document, "optimizer")
    if document.config.plain("optimizer") is None:
        if document.config.plain("scheduler") is not None:
            message = "the section 'optimizer' is missing: there is nothing for 'scheduler' to schedule"
            yield document.problem("missing-section", message, "scheduler", at_key=True, fix="add optimizer: ...")
        return
    if schedulers is None:
        return
    if optimizers is None:
        message = "'scheduler' has names, and 'optimizer' is one spec"
        fix = f"scheduler: {{_type_: {document.config.plain(join_path('scheduler', schedulers[0]))['_type_']}, ...}}"
        yield document.problem("scheduler-names", message, "scheduler", at_key=True, fix=fix)
        return
    for name in schedulers:
        if name not in optimizers:
            yield _no_such(document, join_path("scheduler", name), name, optimizers, "optimizer")


def named_files(document: Document, names: Names) -> Iterator[Problem]:
    """Weights and checkpoints to start from are there; their paths are relative to the working directory."""
    places = [join_path(join_path("model.components", name), "weights") for name in _components(document)]
    for place in (*places, "run.resume_from"):
        path = document.config.plain(place)
        if not isinstance(path, str) or (place == "run.resume_from" and _is_own(document, path)):
            continue
        file = os.path.expanduser(path)
        if not os.path.exists(file):
            notes = (f"looked for {os.path.abspath(file)}",)
            yield document.problem("missing-file", f"there is no '{path}'", place, notes=notes)


def _components(document: Document) -> list[str]:
    components = document.config.plain("model.components")
    return list(components) if isinstance(components, dict) else []


def _is_own(document: Document, checkpoint: str) -> bool:
    """Whether a checkpoint is one of the run's own, by its name."""
    if checkpoint in ("auto", "last", "best"):
        return True
    out_dir, name = document.config.plain("run.out_dir"), document.config.plain("run.name")
    return os.path.exists(os.path.join(os.path.expanduser(str(out_dir)), str(name), "checkpoints", checkpoint))


def _names_of(document: Document, section: str) -> list[str] | None:
    """Return the names of a section that maps names to specs, or None if it does not."""
    node = document.config.find(section)
    if not isinstance(node, MappingNode) or is_spec(node):
        return None
    return list(node.items) if any(is_spec(item) for item in node.items.values()) else None


def _no_such(document: Document, place: str, name: str, known: list[str], what: str) -> Problem:
    return document.problem(
        f"unknown-{what.replace(' ', '-')}",
        f"there is no {what} '{name}'",
        place,
        at_key=True,
        suggestion=nearest(name, known),
        allowed=", ".join(known),
    )


CROSS_CHECKS = (
    required_sections,
    device,
    durations,
    names_of_files,
    monitored_intervals,
    inputs_of_models,
    handed_options,
    what_is_read,
    normalized_fields,
    optimizer_names,
    scheduler_names,
    named_files,
)
