"""YAML text to PyYAML's node graph: untyped, located, and safe for texts that were made to do harm."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.composer import Composer
from yaml.events import CollectionEndEvent, CollectionStartEvent, NodeEvent
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from offline_trainer_core.config.limits import MAX_NODES, excess

__all__ = ["PLAIN", "TEXT", "ExcessError", "compose_text"]

PLAIN = ""
"""Tag of an unquoted scalar, whose text decides its type, and of an untagged collection."""
TEXT = "!"
"""Tag of a scalar that is a string because it is quoted."""

# libyaml's composer recurses in C, about 300 bytes of stack a level; the smallest thread stacks take 1000 levels.
_HARMLESS = 400
_LINE_START = re.compile(r"[ \t]*(?:---[ \t]+)?(?:[-?:][ \t]+)*")
_CLOSED_PAIR = re.compile(r"""[\[{][^\[\]{}"'#\n]*[\]}]""")


class ExcessError(Exception):
    """A text holds more than is allowed: `problem` is the code and the message, `mark` is where it does."""

    def __init__(self, problem: tuple[str, str], mark: Any) -> None:
        super().__init__(*problem)
        self.problem = problem
        self.mark = mark


class _Untyped:
    """Leaves the types of scalars to the caller; PyYAML would look them up among those of YAML 1.1."""

    def resolve(self, _kind: type, _value: Any, implicit: Any) -> str:
        return PLAIN if implicit is True or implicit is False or implicit[0] else TEXT

    def descend_resolver(self, *_: object) -> None: ...

    def ascend_resolver(self) -> None: ...


class PythonLoader(_Untyped, Reader, Scanner, Parser, Composer):
    """Reads where PyYAML was built without libyaml."""

    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)


if TYPE_CHECKING or not yaml.__with_libyaml__:
    Loader = PythonLoader
else:
    from yaml.cyaml import CParser

    class Loader(_Untyped, CParser):
        """Reads through libyaml, ten times as fast."""


def compose_text(text: str) -> yaml.Node | None:
    """Return the root of the one document in `text`, or None if there is nothing in it.

    Raises `yaml.YAMLError` where the text is not YAML, and `ExcessError` before anything could recurse too far, or
    take long.
    """
    # A value takes two characters at least, as in `1,`.
    if len(text) > 2 * MAX_NODES or _depth_at_most(text) > _HARMLESS:
        _check_extent(text)
    return Loader(text).get_single_node()


def _depth_at_most(text: str) -> int:
    """Return a number that the nesting of `text` does not exceed, from a glance at its characters."""
    # The collections that are open at one place stand in different columns, except that a list may stand in the
    # column of the mapping that holds it; and a block collection can only begin where its line does, but for `- `.
    block = 2 * max((_begins(line) + 1 for line in text.splitlines()), default=0)
    flow = text.count("[") + text.count("{")
    if block + flow > _HARMLESS:
        # Pairs that open and close on one line, with no quote between, add one level at the most, however many.
        for _ in range(2):
            text = _CLOSED_PAIR.sub("", text)
        flow = 2 + text.count("[") + text.count("{")
    return block + flow


def _begins(line: str) -> int:
    match = _LINE_START.match(line)
    return match.end() if match else 0


def _check_extent(text: str) -> None:
    """Raise `ExcessError` if `text` nests too deep or holds too much, from its events: that does not recurse."""
    loader = Loader(text)
    size = depth = 0
    while loader.check_event():
        event: Any = loader.get_event()  # type: ignore[no-untyped-call]
        if isinstance(event, NodeEvent):
            size += 1
            depth += isinstance(event, CollectionStartEvent)
            if problem := excess(size, depth):
                raise ExcessError(problem, event.start_mark)
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
