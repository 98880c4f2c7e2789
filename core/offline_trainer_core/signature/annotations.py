"""Whether a plain value fits an annotation. What is not understood fits: a false alarm is worse than a miss."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from offline_trainer_core.signature.names import dotted, follow, full_name
from offline_trainer_core.signature.source import Module, read_module

__all__ = ["Misfit", "check_type", "choices", "find_misfit"]

KNOWN_HOMES = (
    "builtins",
    "typing",
    "typing_extensions",
    "collections",
    "collections.abc",
    "pathlib",
    "os",
    "dataclasses",
)
WRAPPERS = {"Annotated", "Final", "InitVar", "Required", "NotRequired", "ReadOnly"}
LISTS = {
    "list",
    "List",
    "set",
    "Set",
    "frozenset",
    "FrozenSet",
    "AbstractSet",
    "MutableSet",
    "MutableSequence",
    "deque",
}
SEQUENCES = {"Sequence", "Iterable", "Collection"}
MAPPINGS = {"dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict", "DefaultDict"}
PATHS = {"Path", "PurePath", "PathLike"}
TRUTH_WORDS = {"true", "false", "yes", "no", "on", "off"}

Fits = bool | None
"""None: the annotation, or the value, is beyond what can be told."""


class Misfit(NamedTuple):
    """Where in a value it stops fitting, and what was expected there."""

    keys: tuple[str | int, ...]
    expected: str


def check_type(
    annotation: str,
    default: str,
    value: Any,
    *,
    module: str = "",
    folders: Iterable[str] = (),
    null_is_lazy: bool = False,
) -> str | None:
    """Return what was expected if the plain `value` does not fit, else None; else as `find_misfit`."""
    found = find_misfit(
        annotation, default, value, module=module, folders=folders, null_is_lazy=null_is_lazy, deepest=False
    )
    return found.expected if found is not None else None


def find_misfit(
    annotation: str,
    default: str,
    value: Any,
    *,
    module: str = "",
    folders: Iterable[str] = (),
    null_is_lazy: bool = False,
    deepest: bool = True,
) -> Misfit | None:
    """Return where the plain `value` does not fit, and what was expected, or None if it fits or that cannot be told.

    `annotation` and `default` are source text; `module` is where they were written, so that aliases can be followed.
    `null_is_lazy`: null stands for a dimension that is inferred later. `deepest`: look for the item that does not fit.
    """
    if not annotation:
        expected = _misfit_of_default(default, value)
        return Misfit((), expected) if expected else None
    node = _parse(annotation)
    scope = read_module(module, tuple(folders)) if module and node is not None else None
    if node is None or _is_default(default, value) or (null_is_lazy and _has_null(value)):
        return None
    if _fits(node, value, scope) is not False:
        return None
    return _innermost(node, value, scope) if deepest else Misfit((), _describe(node, scope))


def _innermost(node: ast.expr, value: Any, scope: Module | None, keys: tuple[str | int, ...] = ()) -> Misfit:
    """Return the smallest part of `value` that is to blame, where only one alternative has its form."""
    members = [m for m in _alternatives(node, scope) or [node] if _is_container_for(m, value, scope)]
    if len(members) == 1 and isinstance(members[0], ast.Subscript):
        for key, item_type, item in _items(members[0], value, scope):
            if _fits(item_type, item, scope) is False:
                return _innermost(item_type, item, scope, (*keys, key))
    return Misfit(keys, _describe(node, scope))


def _is_container_for(node: ast.expr, value: Any, scope: Module | None) -> bool:
    name = _name(node.value, scope) if isinstance(node, ast.Subscript) else None
    return name is not None and isinstance(value, (dict, list)) and _fits_name(name, value) is True


def _items(node: ast.Subscript, value: Any, scope: Module | None) -> Iterator[tuple[str | int, ast.expr, Any]]:
    """Yield key, type and item of a mapping or list; nothing where its length does not fit."""
    name, arguments = _name(node.value, scope), _arguments(node)
    if isinstance(value, dict):
        yield from ((key, arguments[-1], item) for key, item in value.items())
    elif name not in ("tuple", "Tuple") or _is_open(arguments):
        yield from ((index, arguments[0], item) for index, item in enumerate(value))
    elif len(arguments) == len(value):
        yield from ((index, *pair) for index, pair in enumerate(zip(arguments, value, strict=True)))


def choices(annotation: str, *, module: str = "", folders: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the strings that a `Literal` annotation allows, behind aliases and in unions too."""
    node = _parse(annotation) if annotation else None
    scope = read_module(module, tuple(folders)) if module and node is not None else None
    return tuple(_literals(node, scope)) if node is not None else ()


def _parse(annotation: str) -> ast.expr | None:
    try:
        return ast.parse(annotation.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None


def _name(node: ast.expr, scope: Module | None) -> str | None:
    """Return the bare name of a type that is understood, or None."""
    full = full_name(node, scope) if scope is not None else dotted(node)
    home, _, name = (full or "").rpartition(".")
    return name if name and (home in KNOWN_HOMES or (scope is None and not home)) else None


def _alias(node: ast.expr, scope: Module | None) -> tuple[ast.expr, Module] | None:
    """Return the expression that a type alias stands for, and its module.

    Aliases are followed within the package in which the annotation stands, and into the core: torch's would mean to
    parse much of torch.
    """
    text, full = dotted(node), full_name(node, scope) if scope is not None else None
    if scope is None or text is None or full is None:
        return None
    if full.partition(".")[0] not in (scope.name.partition(".")[0], "offline_trainer_core"):
        return None
    found = follow(text, scope)
    return (found.node, found.module) if found is not None and isinstance(found.node, ast.expr) else None


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _alternatives(node: ast.expr, scope: Module | None) -> list[ast.expr] | None:
    """Return the members of a union, or None if `node` is none."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return [node.left, node.right]
    if isinstance(node, ast.Subscript) and _name(node.value, scope) == "Union":
        return _arguments(node)
    if isinstance(node, ast.Subscript) and _name(node.value, scope) == "Optional":
        return [*_arguments(node), ast.Constant(None)]
    return None


def _fits(node: ast.expr, value: Any, scope: Module | None) -> Fits:
    if isinstance(value, dict) and ("_type_" in value or "_target_" in value):
        return None
    members = _alternatives(node, scope)
    if members is not None:
        verdicts = [_fits(member, value, scope) for member in members]
        return True if True in verdicts else None if None in verdicts else False
    if isinstance(node, ast.Constant):
        return _fits_constant(node, value, scope)
    if isinstance(node, ast.Subscript):
        return _fits_generic(node, value, scope)
    name = _name(node, scope)
    if name is not None:
        return _fits_name(name, value)
    alias = _alias(node, scope)
    return _fits(alias[0], value, alias[1]) if alias else None


def _fits_constant(node: ast.Constant, value: Any, scope: Module | None) -> Fits:
    if node.value is None:
        return value is None
    quoted = _parse(node.value) if isinstance(node.value, str) else None
    return _fits(quoted, value, scope) if quoted is not None else None


def _fits_name(name: str, value: Any) -> Fits:
    if name == "int":
        return isinstance(value, int)
    if name in ("float", "complex"):
        return None if isinstance(value, bool) else isinstance(value, (int, float))
    if name == "bool":
        return True if isinstance(value, bool) else None if value in (0, 1) else False
    if name == "str":
        return isinstance(value, str)
    if name in PATHS:
        return True if isinstance(value, str) else False if isinstance(value, (int, float)) else None
    if name in LISTS or name in ("tuple", "Tuple"):
        return isinstance(value, list)
    if name in SEQUENCES:
        return None if isinstance(value, (str, dict)) else isinstance(value, list)
    return isinstance(value, dict) if name in MAPPINGS else None


def _fits_generic(node: ast.Subscript, value: Any, scope: Module | None) -> Fits:
    name, arguments = _name(node.value, scope), _arguments(node)
    if name == "Literal":
        return _fits_literal(arguments, value)
    if name in WRAPPERS:
        return _fits(arguments[0], value, scope)
    whole = _fits_name(name, value) if name else None
    if whole is not True or name is None:
        return whole
    if name in ("tuple", "Tuple") and not _is_open(arguments) and len(arguments) != len(value):
        return False
    verdicts = [_fits(item_type, item, scope) for _, item_type, item in _items(node, value, scope)]
    return False if False in verdicts else None if None in verdicts else True


def _is_open(arguments: list[ast.expr]) -> bool:
    """Whether a tuple may have any length: `tuple[int, ...]`."""
    last = arguments[-1]
    return len(arguments) == 2 and isinstance(last, ast.Constant) and last.value is ...


def _fits_literal(arguments: list[ast.expr], value: Any) -> Fits:
    allowed = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
    if any(type(value) is type(choice) and value == choice for choice in allowed):
        return True
    return False if len(allowed) == len(arguments) else None


def _has_null(value: Any) -> bool:
    return value is None or (isinstance(value, list) and any(_has_null(item) for item in value))


def _is_default(default: str, value: Any) -> bool:
    try:
        plain = ast.literal_eval(default) if default else ...
    except (SyntaxError, ValueError):
        return False
    return type(plain) is type(value) and bool(plain == value)


def _misfit_of_default(default: str, value: Any) -> str | None:
    """Return what an unannotated parameter expects where the slip is certain: a number or truth value in quotes."""
    if not isinstance(value, str) or default in ("", "None"):
        return None
    try:
        plain = ast.literal_eval(default)
    except (SyntaxError, ValueError):
        return None
    if isinstance(plain, bool):
        return "bool" if value.lower() in TRUTH_WORDS else None
    return "number" if isinstance(plain, (int, float)) and _is_number(value) else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _literals(node: ast.expr, scope: Module | None) -> list[str]:
    members = _alternatives(node, scope)
    if members is not None:
        return [text for member in members for text in _literals(member, scope)]
    if isinstance(node, ast.Subscript) and _name(node.value, scope) == "Literal":
        values = [argument.value for argument in _arguments(node) if isinstance(argument, ast.Constant)]
        return [value for value in values if isinstance(value, str)]
    alias = _alias(node, scope) if isinstance(node, (ast.Name, ast.Attribute)) and _name(node, scope) is None else None
    return _literals(*alias) if alias else []


def _describe(node: ast.expr, scope: Module | None) -> str:
    """Return an annotation as people read it: aliases spelled out, unions with `or`, literals as a list."""
    members = _alternatives(node, scope)
    if members is not None:
        return " or ".join(_describe(member, scope) for member in members)
    if isinstance(node, ast.Constant):
        quoted = _parse(node.value) if isinstance(node.value, str) else None
        return _describe(quoted, scope) if quoted is not None else "null"
    if isinstance(node, ast.Subscript) and _name(node.value, scope) == "Literal":
        return "one of " + ", ".join(ast.unparse(argument) for argument in _arguments(node))
    alias = _alias(node, scope) if _name(node, scope) is None and not isinstance(node, ast.Subscript) else None
    return _describe(*alias) if alias else ast.unparse(node)
