"""What the parts of a run read from each other: fields of batches, outputs, targets, models, numbers of validation."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from offline_trainer_core.catalogue import Entry
from offline_trainer_core.config import join_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.nest import parse_part
from offline_trainer_core.plan.calling import is_form_of, model_names, reading_at, trained_model
from offline_trainer_core.plan.document import Document, Mention, below
from offline_trainer_core.plan.names import Names
from offline_trainer_core.plan.readings import Read
from offline_trainer_core.signature import read_module
from offline_trainer_core.spelling import listing, nearest

__all__ = ["what_is_read"]

DATA_HOOKS = ("batch_process", "process_optim_batch")
"""What may put fields into a batch that the data does not have."""


class Offer(NamedTuple):
    """Everything that can be read from one source, and how a message says that something is not there."""

    code: str
    phrase: str
    names: tuple[str, ...]


def what_is_read(document: Document, names: Names) -> Iterator[Problem]:
    """What a part reads of batches, targets, outputs, models and numbers is there, where readers know."""
    offers = {source: offer for source, offer in _offers(document, names) if offer is not None}
    for mention, reading in names.readings:
        for read in reading.reads if _is_part(mention) else ():
            if read.source in offers:
                yield from _missing(mention.document, below(mention.path, read.where), read, offers[read.source])
    for place, field in _fields_changed(document) if "batch" in offers else ():
        yield from _missing(document, place, Read(place, "batch", tuple(field.split("."))), offers["batch"])


def _fields_changed(document: Document) -> Iterator[tuple[str, str]]:
    """Yield every field that `normalize` and `relative` name, with the place."""
    for section in ("normalize", "relative"):
        named = document.config.plain(section)
        for field in named if isinstance(named, dict) else ():
            yield join_path(section, field), field
            if section == "relative" and isinstance(named[field], str):
                yield join_path(section, field), parse_part(named[field])[0]


def _is_part(mention: Mention) -> bool:
    """Whether a component stands in a section itself: one inside another is handed what that one chooses."""
    return "." not in mention.path or (mention.path.startswith("eval.") and mention.path.count(".") == 1)


def _missing(document: Document, place: str, read: Read, offer: Offer) -> Iterator[Problem]:
    name = str(read.path[0])
    if name in offer.names:
        return
    written, joined = document.config.plain(place), ".".join(map(str, read.path))
    prefix = written.removesuffix(joined) if isinstance(written, str) and written.endswith(f"/{joined}") else ""
    meant = nearest(name, offer.names)
    yield document.problem(
        offer.code,
        offer.phrase.format(name),
        place,
        at_key=not prefix and written != list(read.path) and parse_part(str(written))[0] != joined,
        suggestion=f"{prefix}{meant}" if meant else None,
        allowed=listing(f"{prefix}{name}" for name in offer.names) or "nothing",
    )


def _offers(document: Document, names: Names) -> Iterator[tuple[str, Offer | None]]:
    """Yield what each source has; None where no reader knows."""
    data, io = reading_at("data", names), reading_at("io", names)
    fields = None if data is None or _adds_fields(names) else data.fields
    yield "batch", _offer("unknown-field", "a batch has no '{}'", fields)
    yield "targets", _offer("unknown-target", "io gives no target '{}'", None if io is None else io.targets)
    model = trained_model(document, names)
    outputs = next((reading.outputs for mention, reading in names.readings if is_form_of(model, mention)), None)
    yield "outputs", _offer("unknown-output", "the model returns no '{}'", outputs)
    models = tuple(model_names(document))
    yield "models", _offer("unknown-model-component", "there is no model component '{}'", models)
    yield "validation", _offer("unknown-metric", "validation gives no '{}'", _reports(document, names))


def _offer(code: str, phrase: str, offered: tuple[str, ...] | None) -> Offer | None:
    return None if offered is None else Offer(code, phrase, offered)


def _reports(document: Document, names: Names) -> tuple[str, ...] | None:
    """Return everything that validation gives a number for, or None where a part of it does not say."""
    metrics = document.config.plain("metrics")
    if metrics is not None and not isinstance(metrics, list):
        return None
    parts = ["algorithm", *(join_path("metrics", index) for index in range(len(metrics or ())))]
    parts += ["loss"] if document.config.plain("loss") is not None else []
    readings = [reading_at(part, names) for part in parts]
    reports = [reading.reports if reading is not None else None for reading in readings]
    return None if None in reports else tuple(name for names in reports for name in names or ())


def _adds_fields(names: Names) -> bool:
    """Whether a callback or hook plugin may put something into batches: it has a data hook that returns a batch."""
    parts = {path: entry for path, entry in names.plan.entries.items() if path.startswith(("callbacks[", "plugins["))}
    return any(_may_return_batch(entry, names) for entry in parts.values())


def _may_return_batch(entry: Entry, names: Names) -> bool:
    module_name, _, attribute = entry.reference.partition(":")
    module = read_module(module_name, names.folders if entry.origin == "local" else ())
    node = module.bindings.get(attribute) if module is not None else None
    if not isinstance(node, ast.ClassDef) or node.bases:
        return True
    hooks = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name in DATA_HOOKS]
    return any(hook.returns is None or ast.unparse(hook.returns) != "None" for hook in hooks)
