"""What constructing a class takes: its `__init__`, its bases', or the fields of a dataclass or named tuple."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from offline_trainer_core.signature.attrs_classes import ATTRS, attrs_parameters
from offline_trainer_core.signature.classes import NAMED_TUPLE, Class, UnknownError, linearized
from offline_trainer_core.signature.functions import called, parameters_of
from offline_trainer_core.signature.names import full_name
from offline_trainer_core.signature.parameters import Kind, Parameter
from offline_trainer_core.signature.source import Binding, Module, bindings_of

__all__ = ["constructor"]

DATACLASS = "dataclasses.dataclass"
HARMLESS_DECORATORS = {
    *ATTRS,
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
Parameters = tuple[Parameter, ...]


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
    classes = linearized(cls)
    for base in classes[1:]:
        inherited = _own(base)
        if inherited is not None:
            return inherited
    made = next((each for each in classes if "__new__" in bindings_of(each.node.body, each.module)), None)
    return _method(made, "__new__") if made is not None else ()


def _own(cls: Class) -> Parameters | None:
    """Return what the class itself says of its initialisation, or None if it leaves that to its bases."""
    members = bindings_of(cls.node.body, cls.module)
    _refuse_magic(cls, members)
    if "__init__" in members:
        if "__new__" in members:
            raise UnknownError  # which of the two counts depends on the version of Python
        return _method(cls, "__init__")
    if cls.options({DATACLASS}) is not None:
        return _dataclass_parameters(cls) if _makes_init(cls, {DATACLASS}) else None
    if cls.options(ATTRS) is not None:
        return attrs_parameters(linearized(cls)) if _makes_init(cls, ATTRS) else None
    if any(full_name(base, cls.module) in NAMED_TUPLE for base in cls.node.bases):
        return tuple(parameter for parameter in _fields(cls, keyword_only=False).values() if parameter is not None)
    return None


def _method(cls: Class, name: str) -> Parameters:
    """Return what `__init__` or `__new__` takes beside the object or class."""
    method = bindings_of(cls.node.body, cls.module)[name]
    parameters = parameters_of(method, cls.module, is_method=True) if isinstance(method, ast.FunctionDef) else None
    if parameters is None:
        raise UnknownError
    return parameters


def _makes_init(cls: Class, decorators: set[str]) -> bool:
    return (cls.options(decorators) or {}).get("init", "True") == "True"


def _refuse_magic(cls: Class, members: Mapping[str, Binding]) -> None:
    """Raise `UnknownError` for decorators, metaclasses and members that may change how the class is constructed."""
    decorators = {full_name(called(decorator), cls.module) for decorator in cls.node.decorator_list}
    metaclasses = {full_name(keyword.value, cls.module) for keyword in cls.node.keywords if keyword.arg == "metaclass"}
    if "__signature__" in members:
        raise UnknownError
    if not decorators <= HARMLESS_DECORATORS or not metaclasses <= HARMLESS_METACLASSES:
        raise UnknownError


def _dataclass_parameters(cls: Class) -> Parameters:
    fields: dict[str, Parameter | None] = {}
    for part in reversed(linearized(cls)):
        options = part.options({DATACLASS})
        if options is not None:
            fields.update(_fields(part, keyword_only=options.get("kw_only") == "True"))
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
