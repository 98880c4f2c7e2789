"""What a recording calls the dimensions of its features, such as the joints of a robot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ot_builtins.data.storage.recording import Recording

__all__ = ["dimension_names"]


def dimension_names(recording: Recording, fields: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the names of the last dimension of every field, `{name in a batch: feature}`, that has one for each."""
    named = {name: tuple(_texts(recording.features[feature].get("names"))) for name, feature in fields.items()}
    sizes = {name: recording.features[feature].get("shape", ())[-1:] for name, feature in fields.items()}
    return {name: texts for name, texts in named.items() if list(sizes[name]) == [len(texts)]}


def _texts(names: Any) -> Iterator[str]:
    """Yield the texts of a list of names, which recorders write flat, in a list of lists, or below `motors`."""
    if isinstance(names, str):
        yield names
    elif isinstance(names, (list, Mapping)):
        for part in names.values() if isinstance(names, Mapping) else names:
            yield from _texts(part)
