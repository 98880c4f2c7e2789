"""What constructing a class takes: its `__init__`, its bases', or the fields of a dataclass or named tuple."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from offline_trainer_core.signature.functions import called, parameters_of
from offline_trainer_core.signature.names import dotted, follow, full_name
from offline_trainer_core.signature.parameters import Kind, Parameter
from offline_trainer_core.signature.source import Module, bindings_of

__all__ = ["constructor"]

DATACLASS = "dataclasses.dataclass"
NAMED_TUPLE = {"typing.NamedTuple", "typing_extensions.NamedTuple"}
HARMLESS_DECORATORS = {
    DATACLASS,
    "functools.total_ordering",
    "typing.final",
    "typing.runtime_checkable",
    "typing_extensions.deprecated",
    "typing_extensions.final",
    "typing_extensions.runtime_checkable",
    "warnings.deprecated",
}
HARMLESS_METACLASSES = {"abc.ABCMeta", "builtins.type"}
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

Parameters = tuple[Parameter, ...]


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


def constructor(node: ast.ClassDef, module: Module) -> Parameters | None:
    """Return what constructing the class takes, or None where the source cannot tell."""
    try:
        return _constructor(Class(node, module))
    except (UnknownError, RecursionError):
        return None


def _constructor(cls: Class) -> Parameters:
    own = _own(cls)
    if own is not None:
        return own
    for base in _linearized(cls)[1:]:
        inherited = _own(base)
        if inherited is not None:
            return inherited
    return ()


def _own(cls: Class) -> Parameters | None:
    """Return what the class itself says of its construction, or None if it leaves that to its bases."""
    _refuse_magic(cls)
    members = bindings_of(cls.node.body, cls.module)
    if "__init__" in members:
        init = members["__init__"]
        parameters = parameters_of(init, cls.module, is_method=True) if isinstance(init, ast.FunctionDef) else None
        if parameters is None:
            raise UnknownError
        return parameters
    if "__new__" in members:
        raise UnknownError
    if _dataclass_options(cls).get("init", "True") == "True" and _is_dataclass(cls):
        return _dataclass_parameters(cls)
    if any(full_name(base, cls.module) in NAMED_TUPLE for base in cls.node.bases):
        return tuple(parameter for parameter in _fields(cls, keyword_only=False).values() if parameter is not None)
    return None


def _refuse_magic(cls: Class) -> None:
    """Raise `UnknownError` for decorators and metaclasses that may change how the class is constructed."""
    decorators = {full_name(called(decorator), cls.module) for decorator in cls.node.decorator_list}
    metaclasses = {full_name(keyword.value, cls.module) for keyword in cls.node.keywords if keyword.arg == "metaclass"}
    if not decorators <= HARMLESS_DECORATORS or not metaclasses <= HARMLESS_METACLASSES:
        raise UnknownError


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


def _linearized(cls: Class) -> list[Class]:
    """Return the class and its bases in Python's method resolution order (C3)."""
    bases = list(_bases(cls))
    sequences = [*(_linearized(base) for base in bases), bases]
    order = [cls]
    while sequences := [sequence for sequence in sequences if sequence]:
        tails = {other.identity for sequence in sequences for other in sequence[1:]}
        head = next((sequence[0] for sequence in sequences if sequence[0].identity not in tails), None)
        if head is None:
            raise UnknownError
        order.append(head)
        sequences = [[c for c in sequence if c.identity != head.identity] for sequence in sequences]
    return order


def _is_dataclass(cls: Class) -> bool:
    return any(full_name(called(decorator), cls.module) == DATACLASS for decorator in cls.node.decorator_list)


def _dataclass_options(cls: Class) -> dict[str, str]:
    """Return the options of the dataclass decorator as source text."""
    calls = [decorator for decorator in cls.node.decorator_list if isinstance(decorator, ast.Call)]
    options = [call.keywords for call in calls if full_name(call.func, cls.module) == DATACLASS]
    return {keyword.arg: ast.unparse(keyword.value) for keywords in options for keyword in keywords if keyword.arg}


def _dataclass_parameters(cls: Class) -> Parameters:
    fields: dict[str, Parameter | None] = {}
    for part in reversed(_linearized(cls)):
        if _is_dataclass(part):
            fields.update(_fields(part, keyword_only=_dataclass_options(part).get("kw_only") == "True"))
    found = [parameter for parameter in fields.values() if parameter is not None]
    return tuple(sorted(found, key=lambda parameter: parameter.kind == "keyword"))


def _fields(cls: Class, keyword_only: bool) -> dict[str, Parameter | None]:
    """Return a parameter for every annotated field; None for those that are not given at construction."""
    fields: dict[str, Parameter | None] = {}
    for statement in cls.node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        head = statement.annotation.value if isinstance(statement.annotation, ast.Subscript) else statement.annotation
        kind = full_name(head, cls.module) or ""
        if kind == "dataclasses.KW_ONLY":
            keyword_only = True
        elif kind not in ("typing.ClassVar", "typing_extensions.ClassVar"):
            fields[statement.target.id] = _field(statement, statement.target.id, keyword_only, cls.module)
    return fields


def _field(statement: ast.AnnAssign, name: str, keyword_only: bool, module: Module) -> Parameter | None:
    annotation, value = ast.unparse(statement.annotation), statement.value
    kind: Kind = "keyword" if keyword_only else "positional"
    if not isinstance(value, ast.Call) or full_name(value.func, module) != "dataclasses.field":
        default = ast.unparse(value) if value is not None else ""
        return Parameter(name, kind, value is not None, default, annotation, module.name)
    options = {keyword.arg: ast.unparse(keyword.value) for keyword in value.keywords if keyword.arg}
    if options.get("init") == "False":
        return None
    if "kw_only" in options:
        kind = "keyword" if options["kw_only"] == "True" else "positional"
    factory = f"{options['default_factory']}()" if "default_factory" in options else ""
    default = options.get("default", factory)
    return Parameter(name, kind, bool(default), default, annotation, module.name)
