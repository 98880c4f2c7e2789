"""What is wrong with a context in itself, whatever models and batches there are; found without torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from offline_trainer_core import join_path
from ot_imitation.context import entry_of

__all__ = ["Mistake", "find_mistakes"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Mistake = tuple[str, str, str, "str | None"]
"""Where it is, its code, what is wrong, what was probably meant."""


def find_mistakes(definition: Any, path: str = "context") -> list[Mistake]:
    """Return every mistake in the definition of a context that stands at `path`."""
    if not isinstance(definition, Mapping):
        return [(path, "wrong-type", "'context' is a mapping from a name to a field or a component's output", None)]
    names = [str(name) for name in definition]
    return [
        mistake
        for index, (name, entry) in enumerate(definition.items())
        for mistake in _of_entry(str(name), entry, join_path(path, str(name)), names[:index], names)
    ]


def _of_entry(name: str, entry: Any, path: str, earlier: list[str], names: list[str]) -> Iterator[Mistake]:
    if not NAME.fullmatch(name):
        yield path, "bad-name", f"'{name}' becomes the name of an argument: letters, digits and '_'", None
    if isinstance(entry, str):
        yield from _of_source(entry, path, earlier, names)
    elif isinstance(entry, Mapping):
        yield from _of_call(entry, path, earlier, names)
    else:
        yield path, "wrong-type", f"'{name}' is a field of the batch, or {{model: ..., inputs: {{...}}}}", None


def _of_call(entry: Mapping[str, Any], path: str, earlier: list[str], names: list[str]) -> Iterator[Mistake]:
    for key in entry:
        if key not in ("model", "inputs"):
            yield join_path(path, str(key)), "unknown-key", f"an entry has 'model' and 'inputs', and no '{key}'", None
    for key in ("model", "inputs"):
        if key not in entry:
            yield path, "missing-key", f"an entry that names no field needs '{key}'", None
    if not isinstance(entry.get("model", ""), str):
        yield f"{path}.model", "wrong-type", "'model' is the name of a model component", None
    inputs = entry.get("inputs", {})
    if not isinstance(inputs, Mapping):
        yield f"{path}.inputs", "wrong-type", "'inputs' says for each input of the component what it is given", None
        return
    for parameter, source in inputs.items():
        where = join_path(f"{path}.inputs", str(parameter))
        if isinstance(source, str):
            yield from _of_source(source, where, earlier, names)
        else:
            yield where, "wrong-type", "an input is given a field of the batch, or '$' and an earlier entry", None


def _of_source(source: str, path: str, earlier: list[str], names: list[str]) -> Iterator[Mistake]:
    name = entry_of(source)
    if name is None or name in earlier:
        return
    if name in names:
        yield path, "forward-reference", f"'${name}' is no earlier entry: entries are computed in order", None
        return
    # Only who makes a mistake pays for this import.
    from offline_trainer_core.spelling import nearest

    meant = nearest(name, earlier)
    known = ", ".join(f"${entry}" for entry in earlier) or "none"
    message = f"there is no entry '${name}'; before this one there are: {known}"
    yield path, "unknown-value", message, meant and f"${meant}"
