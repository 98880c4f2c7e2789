"""From the source text of an annotation to the form that it has. What is not understood lets anything through."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from offline_trainer_core.signature import forms
from offline_trainer_core.signature.forms import Form, Scalar
from offline_trainer_core.signature.names import dotted, follow, full_name
from offline_trainer_core.signature.parameters import Parameter
from offline_trainer_core.signature.source import Module, read_module
from offline_trainer_core.spelling import listing

__all__ = ["read_type", "type_in_words"]

HOMES = {"builtins", "collections", "collections.abc", "dataclasses", "os", "pathlib", "typing", "typing_extensions"}
WRAPPERS = {"Final", "InitVar", "Required", "NotRequired", "ReadOnly"}
SCALARS = {
    "int": "int", "float": "float", "complex": "float", "bool": "bool", "str": "str", "LiteralString": "str",
    "Path": "path", "PurePath": "path", "PathLike": "path",
}  # fmt: skip
LISTS = {
    "list", "List", "set", "Set", "frozenset", "FrozenSet", "AbstractSet", "MutableSet", "MutableSequence", "deque",
    "Sequence", "Iterable", "Collection",
}  # fmt: skip
TUPLES = {"tuple", "Tuple"}
MAPPINGS = {"dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict", "DefaultDict"}
ENUMS = {"enum.Enum", "enum.IntEnum", "enum.StrEnum"}
CORE = "offline_trainer_core"
BOUNDS = {"Ge": "ge", "Gt": "gt", "Le": "le", "Lt": "lt"}
MARKER_HOMES = {"annotated_types", CORE, f"{CORE}.types"}


def read_type(annotation: str, *, module: str = "", folders: Iterable[str] = ()) -> Form:
    """Return the form of an annotation; `module` is where it was written, so that its names are understood.

    Aliases are followed within the package in which the annotation stands, and into the core.
    """
    return _read(annotation, read_module(module, tuple(folders)) if module else None)


def type_in_words(parameter: Parameter) -> str:
    """Return what `parameter` takes, as people read it: `int at least 1 or null`; empty where nothing says it."""
    return str(read_type(parameter.annotation, module=parameter.module))


@lru_cache(maxsize=4096)
def _read(annotation: str, scope: Module | None) -> Form:
    node = _parse(annotation)
    return _Reader(scope).form(node) if node is not None else Form(annotation)


def _parse(annotation: str) -> ast.expr | None:
    try:
        return ast.parse(annotation.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return None


class _Reader(NamedTuple):
    """Reads expressions of one module; `variables` are what the type variables of a generic alias stand for."""

    scope: Module | None
    variables: Mapping[str, Form] = MappingProxyType({})
    within: tuple[tuple[str, str], ...] = ()
    """The aliases that are being read: one that names itself is not read again."""

    def form(self, node: ast.expr) -> Form:
        if isinstance(node, ast.Constant):
            return self._constant(node)
        members = self._alternatives(node)
        if members is not None:
            return _union([self.form(member) for member in members])
        if isinstance(node, ast.Subscript):
            return self._generic(node)
        if isinstance(node, ast.Name) and node.id in self.variables:
            return self.variables[node.id]
        return self._plain(node)

    def _constant(self, node: ast.Constant) -> Form:
        if node.value is None:
            return forms.Null()
        quoted = _parse(node.value) if isinstance(node.value, str) else None
        return self.form(quoted) if quoted is not None else Form(ast.unparse(node))

    def _alternatives(self, node: ast.expr) -> list[ast.expr] | None:
        """Return the members of a union, or None if `node` is none."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return [node.left, node.right]
        name = self._name(node.value) if isinstance(node, ast.Subscript) else None
        if isinstance(node, ast.Subscript) and name in ("Union", "Optional"):
            return [*_arguments(node), *([ast.Constant(None)] if name == "Optional" else [])]
        return None

    def _full(self, node: ast.expr) -> str | None:
        return full_name(node, self.scope) if self.scope is not None else dotted(node)

    def _name(self, node: ast.expr) -> str | None:
        """Return the bare name of a type that is understood, or None."""
        home, _, name = (self._full(node) or "").rpartition(".")
        return name if name and (home in HOMES or (self.scope is None and not home)) else None

    def _is_object(self, node: ast.expr) -> bool:
        bare = self.scope is None and self._name(node) in ("Callable", "type", "Type")
        return bare or self._full(node) in forms.OBJECTS

    def _plain(self, node: ast.expr) -> Form:
        name = self._name(node)
        if name in SCALARS:
            return Scalar(name if name != "LiteralString" else "str", name=SCALARS[name])  # type: ignore[arg-type]
        if name in LISTS or name in TUPLES:
            return forms.Listing(str(name), Form(""))
        if name in MAPPINGS:
            return forms.Pairs(str(name), Form(""), Form(""))
        if self._is_object(node):
            return _object(ast.unparse(node), forms.OBJECTS.get(self._full(node) or ""))
        return self._alias(node, []) if name is None else Form(ast.unparse(node))

    def _generic(self, node: ast.Subscript) -> Form:
        name, arguments = self._name(node.value), _arguments(node)
        if name == "Literal":
            return _choice(arguments, node)
        if name == "Annotated":
            return self._annotated(arguments)
        if name in WRAPPERS:
            return self.form(arguments[0])
        if name in LISTS:
            item = self.form(arguments[0])
            return forms.Listing(f"{name}[{item}]", item)
        if name in TUPLES:
            return self._tuple(str(name), arguments)
        if name in MAPPINGS and len(arguments) == 2:
            key, item = (self.form(argument) for argument in arguments)
            return forms.Pairs(f"{name}[{key}, {item}]", key, item)
        if name in SCALARS:
            return self._plain(node.value)
        if self._is_object(node.value):
            return _object(ast.unparse(node), forms.OBJECTS.get(self._full(node.value) or ""))
        return self._alias(node.value, arguments) if name is None else Form(ast.unparse(node))

    def _tuple(self, name: str, arguments: list[ast.expr]) -> Form:
        if len(arguments) == 2 and isinstance(arguments[1], ast.Constant) and arguments[1].value is ...:
            item = self.form(arguments[0])
            return forms.Listing(f"{name}[{item}, ...]", item)
        items = tuple(self.form(argument) for argument in arguments)
        return forms.Row(f"{name}[{', '.join(map(str, items))}]", items)

    def _annotated(self, arguments: list[ast.expr]) -> Form:
        """Return the annotated form with the bounds and the kind of component that its markers give."""
        form = self.form(arguments[0])
        bounds: list[tuple[str, float]] = []
        for marker in (argument for argument in arguments[1:] if isinstance(argument, ast.Call)):
            home, _, name = (self._full(marker.func) or "").rpartition(".")
            if home not in MARKER_HOMES and self.scope is not None:
                continue
            given = {keyword.arg or "": _value(keyword.value) for keyword in marker.keywords}
            positional = [_value(argument) for argument in marker.args]
            if name == "ComponentOf":
                given = dict(zip(("kind", "args", "kwargs"), positional, strict=False)) | given
                text = f"{form} ({given.get('kind')}.*)" if isinstance(form, Scalar) else str(form)
                form = forms.Named(text, form, **{key: str(value) for key, value in given.items()})
            elif name in BOUNDS:
                bounds += [(BOUNDS[name], limit) for limit in [*positional, *given.values()] if limit is not None]
            elif name == "Interval":
                given = dict(zip(("gt", "ge", "lt", "le"), positional, strict=False)) | given
                bounds += [(key, limit) for key, limit in given.items() if limit is not None]
        return forms.Bounded(_bounded_text(form, bounds), form, tuple(bounds)) if bounds else form

    def _alias(self, node: ast.expr, arguments: list[ast.expr]) -> Form:
        """Return what a name of the package itself stands for: an alias, an enumeration or a typed mapping."""
        text, full = dotted(node), self._full(node)
        anything = Form(text or ast.unparse(node))
        if self.scope is None or text is None or full is None or (self.scope.name, text) in self.within:
            return anything
        if full.partition(".")[0] not in (self.scope.name.partition(".")[0], CORE):
            return anything
        found = follow(text, self.scope)
        if found is None:
            return anything
        inner = _Reader(found.module, within=(*self.within, (self.scope.name, text)))
        if isinstance(found.node, ast.ClassDef):
            return inner._class(found.node, anything)
        if not isinstance(found.node, ast.expr):
            return anything
        if isinstance(found.node, ast.Call):
            return inner._new_type(found.node, anything)
        return inner._with_variables(found.node, [self.form(argument) for argument in arguments]).form(found.node)

    def _new_type(self, call: ast.Call, anything: Form) -> Form:
        """Return what `NewType("Name", T)` is made of; a type variable may be anything."""
        made = self._name(call.func) == "NewType" and len(call.args) == 2
        return self.form(call.args[1]) if made else anything

    def _with_variables(self, node: ast.expr, given: list[Form]) -> _Reader:
        """Return the reader of a generic alias: its variables, in order of appearance, stand for what is given."""
        names = dict.fromkeys(n.id for n in ast.walk(node) if isinstance(n, ast.Name) and self._is_variable(n))
        found = dict(zip(names, given, strict=True)) if len(names) == len(given) else {}
        return _Reader(self.scope, found, self.within)

    def _is_variable(self, node: ast.Name) -> bool:
        """Whether a name is a `TypeVar`, or the variable of a `type X[T] = ...`, which no module binds."""
        assert self.scope is not None
        binding = self.scope.bindings.get(node.id)
        if isinstance(binding, ast.Call):
            return self._name(binding.func) == "TypeVar"
        return binding is None and self._name(node) is None

    def _class(self, node: ast.ClassDef, anything: Form) -> Form:
        bases = {self._full(base) for base in node.bases}
        assert self.scope is not None
        core = f"{CORE}.{node.name}"
        if self.scope.name == f"{CORE}.protocols" and core in forms.OBJECTS:
            return _object(node.name, forms.OBJECTS[core])
        if bases & ENUMS:
            values = [s.value for s in node.body if isinstance(s, ast.Assign)]
            return _choice(values, node)
        if bases & {"typing.TypedDict", "typing_extensions.TypedDict"} and len(bases) == 1:
            return forms.Record(node.name, tuple(self._typed_fields(node)))
        derived = [form for base in node.bases if isinstance(form := self._plain(base), forms.Object)]
        return _object(node.name, derived[0].kinds) if derived else anything

    def _typed_fields(self, node: ast.ClassDef) -> Iterator[tuple[str, Form, bool]]:
        total = not any(k.arg == "total" and _value(k.value) is False for k in node.keywords)
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                annotation = statement.annotation
                head = self._name(annotation.value) if isinstance(annotation, ast.Subscript) else None
                required = {"Required": True, "NotRequired": False}.get(head or "", total)
                yield statement.target.id, self.form(annotation), required


def _arguments(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None


def _union(members: list[Form]) -> Form:
    flat = [form for member in members for form in member.members()]
    return forms.Union(" or ".join(dict.fromkeys(map(str, flat))), tuple(flat))


def _choice(nodes: Sequence[ast.expr], whole: ast.expr | ast.ClassDef) -> Form:
    values = tuple(node.value for node in nodes if isinstance(node, ast.Constant))
    if len(values) < len(nodes) or not nodes:
        return Form(whole.name if isinstance(whole, ast.ClassDef) else ast.unparse(whole))
    return forms.Choice(f"one of {listing(map(repr, values), most=8)}", values)


def _object(text: str, kinds: tuple[str, ...] | None) -> Form:
    makers = " or ".join(f"{kind}.*" for kind in kinds or ())
    return forms.Object(f"{text} ({makers})" if makers else text, kinds)


def _bounded_text(form: Form, bounds: list[tuple[str, float]]) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    return f"{form} {' and '.join(f'{words[name]} {limit}' for name, limit in bounds)}"
