"""Finds the specs of a text, at any depth, and checks the keys that the language reserves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from offline_trainer_core.config import Found, MappingNode, Node, SequenceNode, join_path, split_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.document import RESERVED, Document, Mention, is_null, is_spec, text_of
from offline_trainer_core.spelling import nearest

__all__ = ["TARGET", "SpecWalk"]

TARGET = "_target_."
"""What the keys of components that `_target_` names begin with."""
RESERVED_FORM = re.compile(r"_[A-Za-z0-9]+(_[A-Za-z0-9]+)*_")
CONSUMED = ("_template_", "_merge_", "_value_")
"""Reserved words that are gone after resolution."""
# The arguments of the optimizer or scheduler class pass through the factory as they are.
DATA = {"optim_factory": ("args", "kwargs"), "sched_factory": ("args", "kwargs")}


@dataclass
class SpecWalk:
    """Collects the components that specs name, and what is wrong with the form of specs."""

    strict: bool = True
    mentions: list[Mention] = field(default_factory=list)
    problems: Found = field(default_factory=Found)

    def slot(
        self, document: Document, node: Node, path: str, kinds: tuple[str, ...], ignored: tuple[str, ...] = ()
    ) -> None:
        """Take the spec that must stand at `path`, and those inside it. Its `ignored` keys are no arguments."""
        if is_spec(node):
            self._walk(document, node, path, kinds, ignored)
            return
        if self.problems.is_full:
            return
        name = text_of(node)
        fix = f"{_beginning(path)} {{_type_: {name}}}" if name else f"add _type_: {kinds[0]}.<name> under {path}"
        if isinstance(node, MappingNode):
            message, written = f"'{path}' needs '_type_': the component to build", nearest("_type_", node.items)
            place, meant = (join_path(path, written), "_type_") if written else (path, None)
            problem = document.problem(
                "missing-type", message, place, at_key=written is not None, suggestion=meant, fix=fix
            )
            self.problems.append(problem)
            self.inside(document, node, path)
        else:
            self.problems.append(document.problem("wrong-type", f"'{path}' takes a spec", path, fix=fix))

    def inside(self, document: Document, node: Node, path: str) -> None:
        """Take all specs at or below `path`."""
        self._walk(document, node, path)

    def _walk(
        self,
        document: Document,
        node: Node,
        path: str,
        kinds: tuple[str, ...] = (),
        ignored: tuple[str, ...] = (),
        in_data: bool = False,
    ) -> None:
        if isinstance(node, SequenceNode):
            for index, item in enumerate(node.items):
                self._walk(document, item, join_path(path, index), in_data=in_data)
        elif isinstance(node, MappingNode):
            if is_spec(node):
                self._take(document, node, path, kinds, ignored, in_data)
            self.problems += self._reserved(document, node, path)
            data_keys = DATA.get(kinds[0], ()) if kinds else ()
            for key, item in node.items.items():
                self._walk(document, item, join_path(path, key), in_data=in_data or key in data_keys)

    def _take(
        self,
        document: Document,
        node: MappingNode,
        path: str,
        kinds: tuple[str, ...],
        ignored: tuple[str, ...],
        in_data: bool,
    ) -> None:
        if in_data:
            message = "a spec may not stand here: arguments of an optimizer or scheduler class are plain data"
            self.problems.append(document.problem("spec-in-data", message, path))
            return
        self.problems += _form_problems(document, node, path)
        reserved = "_type_" if "_type_" in node.items else "_target_"
        name = text_of(node.get(reserved))
        if name is not None:
            key = name if reserved == "_type_" else f"{TARGET}{name}"
            caret = join_path(path, reserved)
            self.mentions.append(Mention(document, path, key, kinds, caret, node, ignored=ignored))

    def _reserved(self, document: Document, node: MappingNode, path: str) -> Iterator[Problem]:
        """Yield the keys of the form `_name_` that the language does not know, or that need a spec around them."""
        if not self.strict or path.endswith("._kwargs_"):
            return
        for key in node.items:
            if RESERVED_FORM.fullmatch(key) and (key not in RESERVED or not is_spec(node)):
                message = f"'{key}' is reserved" if key not in RESERVED else f"'{key}' needs '_type_' beside it"
                words = {word.strip("_"): word for word in (*RESERVED, *CONSUMED)}
                meant = words.get(nearest(key.strip("_"), words) or "") if key not in RESERVED else None
                fix = None if meant else "put it under _kwargs_ if it is an argument, or set settings.strict: false"
                yield document.problem(
                    "reserved-key",
                    message,
                    join_path(path, key),
                    at_key=True,
                    suggestion=meant,
                    allowed=", ".join(RESERVED),
                    fix=fix,
                )


def _beginning(path: str) -> str:
    """Return how the line of the value at `path` begins: with its key, or as an item of a list."""
    key = split_path(path)[-1]
    return f"{key}:" if isinstance(key, str) else "-"


def _form_problems(document: Document, node: MappingNode, path: str) -> Iterator[Problem]:
    if "_type_" in node.items and "_target_" in node.items:
        place = join_path(path, "_target_")
        yield document.problem("conflicting-keys", "a spec has '_type_' or '_target_', not both", place, at_key=True)
    for key in ("_type_", "_target_"):
        if key in node.items and text_of(node.get(key)) is None:
            yield document.problem("wrong-type", f"'{key}' takes the name of a component", join_path(path, key))
    positional, named = node.get("_args_"), node.get("_kwargs_")
    if positional is not None and not isinstance(positional, SequenceNode) and not is_null(positional):
        yield document.problem("wrong-type", "'_args_' takes a list", join_path(path, "_args_"))
    if named is not None and not isinstance(named, MappingNode) and not is_null(named):
        yield document.problem("wrong-type", "'_kwargs_' takes a mapping", join_path(path, "_kwargs_"))
    for key in named.items if isinstance(named, MappingNode) else ():
        if key in node.items and key not in RESERVED:
            place = join_path(join_path(path, "_kwargs_"), key)
            yield document.problem("duplicate-argument", f"'{key}' is given twice", place, at_key=True)
