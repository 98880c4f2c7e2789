"""A configuration, or a model file that it names: where problems are placed, and where names are found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from offline_trainer_core.config import (
    Config,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    is_unknown,
    join_path,
    parent_path,
    split_path,
    to_plain,
)
from offline_trainer_core.errors import Location, Problem, UsageError

__all__ = ["RESERVED", "Document", "Mention", "below", "is_null", "is_open", "is_spec", "text_of"]

RESERVED = ("_type_", "_target_", "_args_", "_kwargs_")


class Document(NamedTuple):
    """A resolved text. `prefix` is the path of the node that names it, empty for the experiment itself."""

    config: Config
    prefix: str = ""

    def place(self, path: str) -> str:
        """Return `path` as the plan spells it."""
        return below(self.prefix, path) if self.prefix else path

    def problem(self, code: str, message: str, path: str, **rest: Any) -> Problem:
        """Return a problem at `path` of this text."""
        return replace(self.config.problem(code, message, path, **rest), config_path=self.place(path))

    def is_beside(self, path: str, other: str | None) -> bool:
        """Whether the keys at two paths are written in one file: else one may be meant to override the other."""
        if other is None:
            return False
        here, there = map(self._place_of_key, (path, other))
        return here is None or there is None or here.file == there.file

    def _place_of_key(self, path: str) -> Location | None:
        holder = self.config.find(parent_path(path))
        return holder.key_locations.get(str(split_path(path)[-1])) if isinstance(holder, MappingNode) else None


class Mention(NamedTuple):
    """A place where a text names a component. `kinds` are those that may stand there; empty: any."""

    document: Document
    path: str
    key: str
    kinds: tuple[str, ...] = ()
    caret: str = ""
    """The path of the name itself."""
    spec: MappingNode | None = None
    """The mapping whose other keys are arguments."""
    prefix: str = ""
    """What the author may leave out: `optim_cls.` where `type: AdamW` stands."""
    implied: bool = False
    ignored: tuple[str, ...] = ()
    """Keys of the mapping that are no arguments."""
    factory: Mention | None = None
    """The component whose argument this name is."""
    passes: tuple[str, str] = ("", "")
    """The arguments of `factory` that hold the positional and the keyword arguments of this component."""

    @property
    def place(self) -> str:
        """The path of the component as the plan spells it."""
        return self.document.place(self.path)

    def problem(self, code: str, message: str, **rest: Any) -> Problem:
        """Return a problem under the name of the component."""
        return self.document.problem(code, message, self.caret or self.path, **rest)

    def arguments(self) -> tuple[list[Any], dict[str, Any], Mapping[str, str]]:
        """Return positional and keyword arguments as plain values, and the path of each keyword argument."""
        if self.spec is None:
            return [], {}, {}
        nodes: dict[str, Node] = {}
        paths: dict[str, str] = {}
        for key, node in self.spec.items.items():
            if key not in RESERVED and key not in self.ignored:
                nodes[key], paths[key] = node, join_path(self.path, key)
        collected = self.spec.get("_kwargs_")
        for key, node in collected.items.items() if isinstance(collected, MappingNode) else ():
            nodes[key], paths[key] = node, join_path(join_path(self.path, "_kwargs_"), key)
        positional = self.spec.get("_args_")
        args = to_plain(positional) if positional is not None else []
        return args if isinstance(args, list) else [], {key: to_plain(node) for key, node in nodes.items()}, paths


def below(path: str, relative: str) -> str:
    """Return the place called `relative` in the text or component at `path`.

    What is no path, as another's reader may spell it, becomes a key that is not there: its place is that of `path`.
    """
    joined = f"{path}{relative}" if relative.startswith("[") else ".".join(part for part in (path, relative) if part)
    try:
        split_path(joined)
    except UsageError:
        return join_path(path, relative)
    return joined


def is_spec(node: Node | None) -> bool:
    """Whether `node` is a mapping that becomes an object."""
    return isinstance(node, MappingNode) and ("_type_" in node.items or "_target_" in node.items)


def is_open(node: Node) -> bool:
    """Whether a reported problem leaves open the form of `node`: all but the arguments of the specs in it."""
    if isinstance(node, SequenceNode):
        return any(map(is_open, node.items))
    if not isinstance(node, MappingNode):
        return is_unknown(node)
    return not node.is_complete or (not is_spec(node) and any(map(is_open, node.items.values())))


def is_null(node: Node | None) -> bool:
    """Whether `node` is absent or null."""
    return node is None or (isinstance(node, ScalarNode) and node.value is None)


def text_of(node: Node | None) -> str | None:
    """Return the string that `node` holds, or None."""
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None
