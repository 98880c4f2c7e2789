"""What constructing a class of the attrs package takes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from offline_trainer_core.signature.classes import Class, UnknownError
from offline_trainer_core.signature.names import dotted, full_name
from offline_trainer_core.signature.parameters import Kind, Parameter

__all__ = ["ATTRS", "attrs_parameters"]

NEW_STYLE = {f"{home}.{name}" for home in ("attr", "attrs") for name in ("define", "frozen", "mutable")}
OLD_STYLE = {"attr.s", "attr.attrs", "attr.attributes"}
ATTRS = NEW_STYLE | OLD_STYLE | {"attr.dataclass"}
FIELDS = {"attr.ib", "attr.attrib", "attr.attr", "attr.field", "attrs.field"}
UNTOLD = {"these", "field_transformer"}
"""Options with which code decides what the fields are."""


def attrs_parameters(classes: Sequence[Class]) -> tuple[Parameter, ...]:
    """Return a parameter for every field of the class that comes first and of its bases, those of bases first.

    Raises `UnknownError` where the source does not tell.
    """
    decorated = [cls for cls in classes if cls.options(ATTRS) is not None]
    fields: dict[str, Parameter | None] = {}
    for cls in reversed(decorated):
        options = cls.options(ATTRS) or {}
        # Whether a class makes the fields of its bases keyword-only, too, depends on the version of attrs.
        if UNTOLD & options.keys() or (len(decorated) > 1 and "kw_only" in options):
            raise UnknownError
        own = dict(_fields(cls, options))
        fields = {name: field for name, field in fields.items() if name not in own} | own
    found = [field for field in fields.values() if field is not None]
    return tuple(sorted(found, key=lambda field: field.kind == "keyword"))


def _fields(cls: Class, options: dict[str, str]) -> Iterator[tuple[str, Parameter | None]]:
    """Yield name and parameter of every field of the class itself; None for those not given at construction."""
    annotated_only = _takes_annotations(cls, options)
    for statement in cls.node.body:
        if not isinstance(statement, (ast.AnnAssign, ast.Assign)):
            continue
        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
        if not isinstance(target, ast.Name):
            continue
        annotation = statement.annotation if isinstance(statement, ast.AnnAssign) else None
        call = _call(cls, statement.value)
        if call is None and (not annotated_only or annotation is None or _is_class_variable(cls, annotation)):
            continue
        yield target.id, _field(cls, target.id, annotation, statement.value, call, options)


def _takes_annotations(cls: Class, options: dict[str, str]) -> bool:
    """Whether every annotated name is a field. `define` looks: not where a field has no annotation."""
    chosen = options.get("auto_attribs")
    if chosen in ("True", "False"):
        return chosen == "True"
    if cls.options(OLD_STYLE) is not None:
        return False
    return not any(isinstance(s, ast.Assign) and _call(cls, s.value) is not None for s in cls.node.body)


def _call(cls: Class, value: ast.expr | None) -> ast.Call | None:
    return value if isinstance(value, ast.Call) and full_name(value.func, cls.module) in FIELDS else None


def _is_class_variable(cls: Class, annotation: ast.expr) -> bool:
    head = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return (full_name(head, cls.module) or "").rpartition(".")[2] == "ClassVar"


def _field(
    cls: Class,
    name: str,
    annotation: ast.expr | None,
    value: ast.expr | None,
    call: ast.Call | None,
    options: dict[str, str],
) -> Parameter | None:
    given = {k.arg: ast.unparse(k.value) for k in call.keywords if k.arg} if call is not None else {}
    if given.get("init") == "False":
        return None
    default = ast.unparse(value) if value is not None and call is None else given.get("default", "")
    if "factory" in given:
        default = f"{given['factory']}()"
    elif not default and _has_default_method(cls, name):
        default = "..."
    keyword = given.get("kw_only", options.get("kw_only")) == "True"
    kind: Kind = "keyword" if keyword else "positional"
    alias = given.get("alias", "").strip("'\"") or name.lstrip("_")
    text = ast.unparse(annotation) if annotation is not None else ""
    return Parameter(alias, kind, bool(default), default, text, cls.module.name)


def _has_default_method(cls: Class, name: str) -> bool:
    """Whether a method under `@<name>.default` gives the default."""
    methods = [statement for statement in cls.node.body if isinstance(statement, ast.FunctionDef)]
    return any(dotted(decorator) == f"{name}.default" for method in methods for decorator in method.decorator_list)
