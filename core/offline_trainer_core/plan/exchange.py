"""What the parts of a run hand to each other: batches, inputs, outputs, targets, numbers. What is read must be there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from offline_trainer_core.catalogue import Entry
from offline_trainer_core.config import join_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.document import Document, Mention
from offline_trainer_core.plan.names import Names, below
from offline_trainer_core.plan.reading import component_signature
from offline_trainer_core.plan.readings import Read, Reading
from offline_trainer_core.signature import Parameter, Signature, missing_and_unknown, read_module
from offline_trainer_core.spelling import listing, nearest

__all__ = ["model_inputs", "what_is_read"]

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
    normalized = document.config.plain("normalize")
    for field in normalized if isinstance(normalized, dict) and "batch" in offers else ():
        place = join_path("normalize", field)
        yield from _missing(document, place, Read(place, "batch", tuple(field.split("."))), offers["batch"])


def _is_part(mention: Mention) -> bool:
    """Whether a component stands in a section itself: one inside another is handed what that one chooses."""
    return "." not in mention.path or mention.path.startswith("eval.") and mention.path.count(".") == 1


def _missing(document: Document, place: str, read: Read, offer: Offer) -> Iterator[Problem]:
    name = str(read.path[0])
    if name in offer.names:
        return
    written = document.config.plain(place) in (".".join(map(str, read.path)), list(read.path))
    yield document.problem(
        offer.code,
        offer.phrase.format(name),
        place,
        at_key=not written,
        suggestion=nearest(name, offer.names),
        allowed=listing(offer.names) or "nothing",
    )


def _offers(document: Document, names: Names) -> Iterator[tuple[str, Offer | None]]:
    """Yield what each source has; None where no reader knows."""
    data, io = _reading_at("data", names), _reading_at("io", names)
    yield "batch", _offer("unknown-field", "a batch has no '{}'", None if _adds_fields(names) else data and data.fields)
    yield "targets", _offer("unknown-target", "io gives no target '{}'", io and io.targets)
    model = _trained_model(document, names)
    outputs = next((reading.outputs for mention, reading in names.readings if _is_of(mention, model)), None)
    yield "outputs", _offer("unknown-output", "the model returns no '{}'", outputs)
    models = tuple(_models(document))
    yield "models", _offer("unknown-model-component", "there is no model component '{}'", models)
    yield "validation", _offer("unknown-metric", "validation gives no '{}'", _reports(names))


def _offer(code: str, phrase: str, offered: tuple[str, ...] | None) -> Offer | None:
    return None if offered is None else Offer(code, phrase, offered)


def _reading_at(place: str, names: Names) -> Reading | None:
    return next((reading for mention, reading in names.readings if mention.place == place), None)


def _reports(names: Names) -> tuple[str, ...] | None:
    """Return everything that validation gives a number for, or None where a part of it does not say."""
    known = {mention.place: reading.reports for mention, reading in names.readings}
    sections = ("algorithm", "loss", "metrics")
    parts = [m.place for m, _ in names.resolved if m.place.partition("[")[0] in sections]
    reports = [known.get(place) for place in parts]
    return tuple(name for names in reports for name in names or ()) if parts and None not in reports else None


def _adds_fields(names: Names) -> bool:
    """Whether a callback or hook plugin may put something into batches: it has a data hook that returns a batch."""
    parts = {path: entry for path, entry in names.plan.entries.items() if path.startswith(("callbacks[", "plugins["))}
    return any(_may_return_batch(entry, names) for entry in parts.values())


def _may_return_batch(entry: Entry, names: Names) -> bool:
    module_name, _, attribute = entry.reference.partition(":")
    module = read_module(module_name, _folders(names) if entry.origin == "local" else ())
    node = module.bindings.get(attribute) if module is not None else None
    if not isinstance(node, ast.ClassDef) or node.bases:
        return True
    hooks = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name in DATA_HOOKS]
    return any(hook.returns is None or ast.unparse(hook.returns) != "None" for hook in hooks)


def _folders(names: Names) -> tuple[str, ...]:
    return tuple(str(module.folder) for module in names.plan.local_modules if module.folder is not None)


def model_inputs(document: Document, names: Names) -> Iterator[Problem]:
    """`io` calls the model with what it takes, where that is known."""
    found = ((mention, reading) for mention, reading in names.readings if mention.place == "io")
    mention, reading = next(found, (None, None))
    inputs = _inputs(_trained_model(document, names), names)
    if mention is None or reading is None or reading.calls is None or inputs is None:
        return
    positional, keywords = reading.calls
    fit = missing_and_unknown(inputs, [None] * positional, keywords)
    note = (f"the model's inputs: {', '.join(map(str, inputs.parameters)) or 'none'}",)
    free = [name for name in inputs.names if name not in keywords and name in fit.missing]
    for name in (*fit.unknown, *fit.twice):
        message = f"'{name}' is not an input of the model"
        message = f"the model's input '{name}' is given by position and by name" if name in fit.twice else message
        place, meant = below(mention.path, keywords[name]), nearest(name, free)
        yield mention.document.problem("model-inputs", message, place, at_key=True, suggestion=meant, notes=note)
    if fit.missing and not fit.unknown:
        message = f"io gives the model no {' and no '.join(repr(name) for name in fit.missing)}"
        yield mention.problem("model-inputs", message, notes=note)


def _models(document: Document) -> list[str]:
    components = document.config.plain("model.components")
    return list(components) if isinstance(components, dict) else ["model"]


def _trained_model(document: Document, names: Names) -> str | None:
    """Return the path of the model that `io` and `loss` are for: the only one, or the one that the algorithm names."""
    models, algorithm = _models(document), _reading_at("algorithm", names)
    name = models[0] if len(models) == 1 else algorithm and algorithm.trains
    if name not in models:
        return None
    return "model" if document.config.find("model.components") is None else f"model.components.{name}"


def _is_of(mention: Mention, model: str | None) -> bool:
    """Whether a mention is the form of the model at this path: its spec, or its frontend, in a file or not."""
    frontend = mention.key.startswith("frontend.") and f"{mention.place}.".startswith(f"{model}.")
    return model is not None and (mention.place == model or frontend)


def _inputs(model: str | None, names: Names) -> Signature | None:
    """Return what a model is called with: what its reader says, or its `forward` in the source."""
    for mention, reading in names.readings:
        if _is_of(mention, model) and reading.inputs is not None:
            return Signature(tuple(map(Parameter, reading.inputs)))
    for mention, entry in names.resolved:
        if _is_of(mention, model) and entry.kind != "frontend" and entry.live is None:
            return component_signature(replace(entry, reference=f"{entry.reference}.forward"), _folders(names))
    return None
