"""Finds and reads the source of modules without importing them, their parent packages included."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder
from typing import NamedTuple

from offline_trainer_core.signature.splitting import parse_definition, split_source

__all__ = ["AMBIGUOUS", "Binding", "Imported", "Module", "bindings_of", "find_spec", "read_module"]


class Imported(NamedTuple):
    """A name that an import binds: the module itself, or `name` in it."""

    module: str
    name: str | None = None


class _Ambiguous:
    """A name that is bound more than once, under conditions that only running the module decides."""


AMBIGUOUS = _Ambiguous()
Binding = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.expr | Imported | _Ambiguous


class Module:
    """A module read from its source: what its top-level names are bound to, and where its star imports point.

    Its own imports are looked for in `folders` before the path.
    """

    def __init__(self, name: str, file: str, is_package: bool, source: str, folders: tuple[str, ...] = ()) -> None:
        self.name = name
        self.file = file
        self.is_package = is_package
        self.source = source
        self.folders = folders
        self.stars: list[str] = []
        self.bindings = Bindings(self)

    @cached_property
    def body(self) -> list[ast.stmt] | None:
        """The statements of the whole module; None where it does not parse."""
        try:
            return ast.parse(self.source).body
        except (SyntaxError, ValueError, RecursionError):
            return None


class Bindings:
    """What the top-level names of a module are bound to; classes and functions are parsed when asked for."""

    def __init__(self, module: Module) -> None:
        self._module = module
        split = split_source(module.source)
        body = split.rest.body if split is not None else module.body or ()
        self._definitions = split.definitions if split is not None else {}
        self._known = bindings_of(body, module)
        if not self._known.keys().isdisjoint(self._definitions):  # the order of the statements decides
            self._parse_all()

    def get(self, name: str) -> Binding | None:
        """Return what `name` is bound to, or None."""
        if name in self._definitions:
            node = parse_definition(self._module.source, self._definitions.pop(name))
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                self._known[name] = node
            else:
                self._parse_all()
        return self._known.get(name)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def _parse_all(self) -> None:
        self._definitions = {}
        self._module.stars.clear()
        self._known = bindings_of(self._module.body or (), self._module)


_SPECS: dict[tuple[str, tuple[str, ...], tuple[str, ...]], ModuleSpec] = {}
_READ: dict[tuple[str, str, tuple[str, ...]], tuple[int, Module | None]] = {}


def find_spec(name: str, folders: Sequence[str] = ()) -> ModuleSpec | None:
    """Return where the module `name` is, looking in `folders` before the path; None where it is not found.

    Unlike `importlib.util.find_spec`, this imports no parent package.
    """
    return _find_spec(name, tuple(folders), tuple(sys.path))


def _find_spec(name: str, folders: tuple[str, ...], path: tuple[str, ...]) -> ModuleSpec | None:
    if (name, folders, path) in _SPECS:
        return _SPECS[name, folders, path]
    parent, _, tail = name.rpartition(".")
    package = _find_spec(parent, folders, path) if parent else None
    spec = None
    if not parent:
        spec = PathFinder.find_spec(name, list(folders)) if folders else None
        spec = spec or _ask_finders(name, name, None)
    elif package is not None and package.submodule_search_locations is not None:
        spec = _ask_finders(name, tail, list(package.submodule_search_locations))
    if spec is not None:
        _SPECS[name, folders, path] = spec
    return spec


def _ask_finders(name: str, tail: str, path: list[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        try:
            # By its full name, PathFinder looks for a nested namespace package's parent among the imported modules.
            spec = finder.find_spec(tail if finder is PathFinder else name, path)
        except (AttributeError, ImportError, KeyError):
            continue
        if spec is not None:
            return spec
    return None


def read_module(name: str, folders: tuple[str, ...] = ()) -> Module | None:
    """Return the module `name`, or None where it has no source that can be found and read.

    A file is read once for as long as it does not change.
    """
    spec = find_spec(name, folders)
    if spec is None or spec.origin is None:
        return None
    try:
        changed = os.stat(spec.origin).st_mtime_ns
    except OSError:  # inside an archive, or gone
        _SPECS.pop((name, folders, tuple(sys.path)), None)
        changed = 0
    known = (name, spec.origin, folders)
    if known not in _READ or _READ[known][0] != changed:
        _READ[known] = changed, _read(name, spec, folders)
    return _READ[known][1]


def _read(name: str, spec: ModuleSpec, folders: tuple[str, ...]) -> Module | None:
    get_source = getattr(spec.loader, "get_source", None)
    try:
        source = get_source(spec.name) if get_source else None
        if source is None:
            return None
        return Module(name, spec.origin or "", spec.submodule_search_locations is not None, source, folders)
    except (ImportError, OSError, SyntaxError, ValueError):
        return None


def bindings_of(body: Iterable[ast.stmt], module: Module) -> dict[str, Binding]:
    """Return what the names of a module's or class's body are bound to, and note star imports in `module`."""
    bindings: dict[str, Binding] = {}
    for name, binding, conditional in _bound(body, module, conditional=False):
        bindings[name] = AMBIGUOUS if conditional and name in bindings else binding
    return bindings


def _bound(body: Iterable[ast.stmt], module: Module, conditional: bool) -> Iterator[tuple[str, Binding, bool]]:
    for statement in body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING"):
            yield from _bound([*statement.body, *statement.orelse], module, conditional)
        elif isinstance(statement, ast.With):
            yield from _bound(statement.body, module, conditional)
        elif isinstance(statement, (ast.If, ast.Try)):
            handlers = [s for handler in getattr(statement, "handlers", ()) for s in handler.body]
            inner = [*statement.body, *handlers, *statement.orelse, *getattr(statement, "finalbody", ())]
            yield from _bound(inner, module, conditional=True)
        else:
            yield from ((name, binding, conditional) for name, binding in _names(statement, module))


def _names(statement: ast.stmt, module: Module) -> Iterator[tuple[str, Binding]]:
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        yield statement.name, statement
    elif isinstance(statement, ast.Import):
        for alias in statement.names:
            bound = alias.name if alias.asname else alias.name.partition(".")[0]
            yield alias.asname or bound, Imported(bound)
    elif isinstance(statement, ast.ImportFrom):
        yield from _imported_from(statement, module)
    elif isinstance(statement, ast.Assign):
        yield from ((target.id, statement.value) for target in statement.targets if isinstance(target, ast.Name))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
        yield statement.target.id, statement.value
    elif type(statement).__name__ == "TypeAlias":  # `type X = ...`, from Python 3.12
        yield statement.name.id, statement.value  # type: ignore[attr-defined]


def _imported_from(statement: ast.ImportFrom, module: Module) -> Iterator[tuple[str, Binding]]:
    source = statement.module or ""
    if statement.level:
        parts = module.name.split(".")
        kept = parts[: len(parts) - statement.level + (1 if module.is_package else 0)]
        source = ".".join([*kept, source]).strip(".")
    for alias in statement.names:
        if alias.name == "*":
            module.stars.append(source)
        else:
            yield alias.asname or alias.name, Imported(source, alias.name)
