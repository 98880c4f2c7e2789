"""From a batch to what a model is called with and what it is compared to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as AbstractMapping
from typing import Any

from offline_trainer_core.nest import parse_path
from offline_trainer_core.types import ArgsKwargs, Stage
from ot_builtins.places import Path, select_or_explain

__all__ = ["Mapping"]

Reader = Callable[[Any], Any]


class Mapping:
    """Names the places in a batch that a model's arguments and its targets come from.

    A path is a list of keys and indices (`[obs, 0]`) or a dotted string (`obs.0`). Targets are a mapping; at stage
    `predict` they are not looked for.

    Args:
        model_kwargs: `{argument of the model: path}`.
        targets: `{name: path}`.
        model_args: Paths of positional arguments.

    Raises:
        DataError: A batch does not have a path; the message lists what it has.
    """

    def __init__(
        self,
        model_kwargs: AbstractMapping[str, Path] | None = None,
        targets: AbstractMapping[str, Path] | None = None,
        model_args: Sequence[Path] = (),
    ) -> None:
        self._args = tuple(_reader(path, f"model_args[{index}]") for index, path in enumerate(model_args))
        self._kwargs = _readers(model_kwargs, "model_kwargs")
        self._targets = _readers(targets, "targets")

    def split(self, batch: Any, *, stage: Stage) -> tuple[ArgsKwargs, dict[str, Any], dict[str, Any]]:
        """Return the model's arguments, the targets by name, and nothing else."""
        args = tuple([read(batch) for read in self._args])
        kwargs = {name: read(batch) for name, read in self._kwargs}
        targets = {} if stage == "predict" else {name: read(batch) for name, read in self._targets}
        return ArgsKwargs(args, kwargs), targets, {}


def _readers(paths: AbstractMapping[str, Path] | None, role: str) -> tuple[tuple[str, Reader], ...]:
    return tuple((name, _reader(path, f"{role}.{name}")) for name, path in (paths or {}).items())


def _reader(path: Path, role: str) -> Reader:
    keys = parse_path(path)

    def read(batch: Any) -> Any:
        place = batch
        for key in keys:
            # Nearly every batch is made of plain dicts, which are walked here ten times faster than by `select`.
            if type(place) is not dict or key not in place:
                return select_or_explain(batch, keys, f"io.mapping: {role}")
            place = place[key]
        return place

    return read
