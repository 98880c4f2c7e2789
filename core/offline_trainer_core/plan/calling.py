"""What parts of a run call each other with: the model by an io, an operation by a graph, a class by a factory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from offline_trainer_core.config import join_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.document import Document, Mention, below
from offline_trainer_core.plan.names import Names
from offline_trainer_core.plan.readings import Reading
from offline_trainer_core.signature import Parameter, Signature, missing_and_unknown
from offline_trainer_core.spelling import listing, nearest

__all__ = ["handed_options", "inputs_of", "is_form_of", "model_inputs", "model_names", "reading_at", "trained_model"]


def model_inputs(document: Document, names: Names) -> Iterator[Problem]:
    """`io` calls the model with what it takes, where that is known."""
    mention, reading = next(((m, r) for m, r in names.readings if m.place == "io"), (None, None))
    inputs = inputs_of(trained_model(document, names), names)
    if mention is None or reading is None or reading.calls is None or inputs is None:
        return
    positional, keywords = reading.calls
    fit = missing_and_unknown(inputs, [None] * positional, keywords)
    note = (f"the model's inputs: {', '.join(map(str, inputs.parameters)) or 'none'}",)
    for name in (*fit.unknown, *fit.twice):
        message = f"'{name}' is not an input of the model"
        message = f"the model's input '{name}' is given by position and by name" if name in fit.twice else message
        place, meant = below(mention.path, keywords[name]), nearest(name, fit.missing)
        yield mention.document.problem("model-inputs", message, place, at_key=True, suggestion=meant, notes=note)
    if fit.missing and not fit.unknown:
        message = f"io gives the model no {' and no '.join(repr(name) for name in fit.missing)}"
        yield mention.problem("model-inputs", message, notes=note)


def handed_options(document: Document, names: Names) -> Iterator[Problem]:
    """What a component hands on to another by name is what that one takes."""
    entries = {entry.key: entry for _, entry in names.resolved}
    for mention, reading in names.readings:
        for where, key, options in reading.hands:
            signature = names.signature(entries[key]) if key in entries else None
            unknown = missing_and_unknown(signature, (), options).unknown if signature is not None else ()
            for name in unknown:
                place, taken = join_path(below(mention.path, where), name), signature.names if signature else ()
                message = f"'{name}' is not an argument of {key} ({entries[key].label})"
                meant = nearest(name, [option for option in taken if option not in options])
                yield mention.document.problem(
                    "unknown-argument", message, place, at_key=True, suggestion=meant, allowed=listing(taken)
                )


def model_names(document: Document) -> list[str]:
    """Return what the models of a run are called; one without a name is `model`."""
    components = document.config.plain("model.components")
    return list(components) if isinstance(components, dict) else ["model"]


def trained_model(document: Document, names: Names) -> str | None:
    """Return the path of the model that `io` and `loss` are for: the only one, or the one that the algorithm names."""
    models, algorithm = model_names(document), reading_at("algorithm", names)
    name = models[0] if len(models) == 1 else algorithm and algorithm.trains
    if name not in models:
        return None
    return "model" if document.config.find("model.components") is None else join_path("model.components", name)


def reading_at(place: str, names: Names) -> Reading | None:
    """Return what a reader told of the component at `place`."""
    return next((reading for mention, reading in names.readings if mention.place == place), None)


def is_form_of(model: str | None, mention: Mention) -> bool:
    """Whether a mention is what the model at this path is made by: its spec, or its frontend, in a file or not."""
    frontend = mention.key.startswith("frontend.") and f"{mention.place}.".startswith(f"{model}.")
    return model is not None and (mention.place == model or frontend)


def inputs_of(model: str | None, names: Names) -> Signature | None:
    """Return what a model is called with: what its reader says, or its `forward` in the source."""
    for mention, reading in names.readings:
        if is_form_of(model, mention) and reading.inputs is not None:
            taken = (Parameter(name, has_default=name in reading.optional, default="null") for name in reading.inputs)
            return Signature(tuple(taken))
    for mention, entry in names.resolved:
        if is_form_of(model, mention) and entry.kind != "frontend" and entry.live is None:
            return names.signature(replace(entry, reference=f"{entry.reference}.forward"))
    return None
