"""The context language: which fields of a batch, and which outputs of model components, a network is conditioned on.

    context:
      state: observation.state                                      # a field of the batch
      vision: {model: camera, inputs: {image: observation.image}}   # the output of a component
      tokens: {model: encoder, inputs: {state: $state, vision: $vision.features}}   # an earlier entry, or a part of one

Looking at a context loads no torch: `ot check` reads it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from offline_trainer_core import DataError, join_path, select

__all__ = ["Call", "Context", "entry_of", "read_field"]


class Call(NamedTuple):
    """The output of a model component: its name, and what each of its inputs is given."""

    model: str
    inputs: Mapping[str, str]


class Context:
    """The entries of a context, in order; each says where a value lies, or is a `Call`."""

    def __init__(self, definition: Mapping[str, Any]) -> None:
        """`definition` is one in which `ot_imitation.mistakes.find_mistakes` finds none."""
        self.entries: dict[str, str | Call] = {
            name: entry if isinstance(entry, str) else Call(entry["model"], entry["inputs"])
            for name, entry in definition.items()
        }

    def compute(self, key: str, batch: Any, call: Callable[..., Any]) -> dict[str, Any]:
        """Return the value of every entry on `batch`; `call(model, **inputs)` runs a model component.

        Raises `DataError`, beginning with `key`, where the batch or an earlier value lacks a part.
        """
        values: dict[str, Any] = {}
        for name, entry in self.entries.items():
            where = f"{key}: context.{name}"
            if isinstance(entry, str):
                values[name] = _pick(entry, where, batch, values)
            else:
                inputs = {n: _pick(source, f"{where}.inputs.{n}", batch, values) for n, source in entry.inputs.items()}
                values[name] = call(entry.model, **inputs)
        return values

    def sources(self) -> Iterator[tuple[str, str]]:
        """Yield every place below `context` that names a field of the batch or a `$entry`, and what it names."""
        for name, entry in self.entries.items():
            if isinstance(entry, str):
                yield name, entry
                continue
            for parameter, source in entry.inputs.items():
                yield join_path(f"{name}.inputs", parameter), source

    def calls(self) -> Iterator[tuple[str, Call]]:
        """Yield the entries that are outputs of model components."""
        for name, entry in self.entries.items():
            if isinstance(entry, Call):
                yield name, entry


def entry_of(source: str) -> str | None:
    """Return the entry that `$entry` or `$entry.part` refers to; None for a field of the batch."""
    return source[1:].split(".")[0] if source.startswith("$") else None


def read_field(batch: Any, field: str) -> Any:
    """Return a field of a batch, or of an observation to act on, which is flat: there a dotted name is a key.

    Raises `KeyError` with a message that lists what the batch has.
    """
    return batch[field] if isinstance(batch, Mapping) and field in batch else select(batch, field)


def _pick(source: str, where: str, batch: Any, values: Mapping[str, Any]) -> Any:
    try:
        return select(values, source[1:]) if source.startswith("$") else read_field(batch, source)
    except KeyError as error:
        raise DataError(f"{where}: {error.args[0]}") from None
