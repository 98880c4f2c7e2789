"""Classes in source: their bases in the order in which Python asks them, and what makes them uncertain."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from offline_trainer_core.signature.functions import called
from offline_trainer_core.signature.names import dotted, follow, full_name
from offline_trainer_core.signature.source import Module

__all__ = ["NAMED_TUPLE", "Class", "UnknownError", "linearized"]

NAMED_TUPLE = {"typing.NamedTuple", "typing_extensions.NamedTuple"}
# Bases that take no arguments. torch's Module has `*args, **kwargs`, only to refuse whatever is in them.
EMPTY_BASES = {
    "abc.ABC",
    "builtins.object",
    "torch.nn.Module",
    "torch.nn.modules.Module",
    "torch.nn.modules.module.Module",
    "typing.Generic",
    "typing.Protocol",
    "typing_extensions.Generic",
    "typing_extensions.Protocol",
}


class UnknownError(Exception):
    """The source does not tell."""


class Class(NamedTuple):
    """A class definition and the module in which it stands."""

    node: ast.ClassDef
    module: Module

    @property
    def identity(self) -> tuple[str, int]:
        """What makes two of them the same class."""
        return self.module.file, self.node.lineno

    def options(self, decorators: set[str]) -> dict[str, str] | None:
        """Return the options of the first of `decorators` that the class has, as source text; None if it has none."""
        for decorator in self.node.decorator_list:
            if full_name(called(decorator), self.module) in decorators:
                keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
                return {keyword.arg: ast.unparse(keyword.value) for keyword in keywords if keyword.arg}
        return None


def linearized(cls: Class) -> list[Class]:
    """Return the class and its bases in Python's method resolution order (C3).

    Raises `UnknownError` where a base is not to be found, or is no class of Python code.
    """
    bases = list(_bases(cls))
    sequences = [*(linearized(base) for base in bases), bases]
    order = [cls]
    while sequences := [sequence for sequence in sequences if sequence]:
        tails = {other.identity for sequence in sequences for other in sequence[1:]}
        head = next((sequence[0] for sequence in sequences if sequence[0].identity not in tails), None)
        if head is None:
            raise UnknownError
        order.append(head)
        sequences = [[c for c in sequence if c.identity != head.identity] for sequence in sequences]
    return order


def _bases(cls: Class) -> Iterator[Class]:
    for base in cls.node.bases:
        expression = base.value if isinstance(base, ast.Subscript) else base
        if full_name(expression, cls.module) in EMPTY_BASES | NAMED_TUPLE:
            continue
        text = dotted(expression)
        found = follow(text, cls.module) if text else None
        if found is None or not isinstance(found.node, ast.ClassDef):
            raise UnknownError
        yield Class(found.node, found.module)
