"""Reads the signature of `module:attribute` from source. Nothing is imported, parent packages included."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from offline_trainer_core.signature.classes import Class, UnknownError, linearized
from offline_trainer_core.signature.construction import constructor
from offline_trainer_core.signature.docstrings import assigned_doc
from offline_trainer_core.signature.functions import parameters_of
from offline_trainer_core.signature.names import Found, dotted, follow, full_name, member
from offline_trainer_core.signature.parameters import Kind, Parameter, Signature
from offline_trainer_core.signature.source import Module, read_module

__all__ = ["read_signature"]


def read_signature(reference: str, folders: Iterable[str] = ()) -> Signature | None:
    """Return what the target of `module:attribute` takes, or None where the source cannot tell.

    `folders` are looked in before the path: where local modules are.
    """
    module_name, _, attribute = reference.partition(":")
    module = read_module(module_name, tuple(folders))
    return _of_name(attribute, module) if module is not None and attribute else None


def _of_name(attribute: str, module: Module) -> Signature | None:
    found = follow(attribute, module) or _inherited(attribute, module)
    if found is None:
        return None
    if isinstance(found.node, ast.ClassDef):
        return _of_class(found.node, found.module)
    if isinstance(found.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        is_method = "." in attribute
        parameters = parameters_of(found.node, found.module, is_method=is_method)
        return _signature(parameters, found.node, found.module)
    if isinstance(found.node, ast.Call) and full_name(found.node.func, found.module) == "functools.partial":
        return _of_partial(found.node, found.module)
    return None


def _inherited(attribute: str, module: Module) -> Found | None:
    """Return the method that a class has from one of its bases."""
    class_name, _, method = attribute.rpartition(".")
    owner = follow(class_name, module) if class_name else None
    if owner is None or not isinstance(owner.node, ast.ClassDef):
        return None
    try:
        bases = linearized(Class(owner.node, owner.module))[1:]
    except UnknownError:
        return None
    return next((found for base in bases if (found := member(base.node, base.module, method)) is not None), None)


def _of_partial(call: ast.Call, module: Module) -> Signature | None:
    """Return what is left to give of a function whose first arguments are given; a name that is given has a default."""
    name = dotted(call.args[0]) if call.args else None
    whole = _of_name(name, module) if name is not None else None
    if whole is None or any(keyword.arg is None for keyword in call.keywords):
        return None
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    left, by_name = [], False
    for parameter in [p for p in whole.parameters if p not in whole.positional[: len(call.args) - 1]]:
        by_name = by_name or (parameter.name in given and parameter.kind == "positional")
        kind: Kind = "keyword" if by_name and parameter.kind == "positional" else parameter.kind
        default = given.get(parameter.name, parameter.default)
        left.append(parameter._replace(kind=kind, default=default, has_default=bool(default)))
    return whole._replace(parameters=tuple(left))


def _of_class(node: ast.ClassDef, module: Module) -> Signature | None:
    signature = _signature(constructor(node, module), node, module)
    if signature is None:
        return None
    inits = [s for s in node.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"]
    doc = signature.doc or assigned_doc(node.name, module) or (ast.get_docstring(inits[-1]) if inits else None)
    return signature._replace(doc=doc or "", inherited_docs=() if inits else _docs_of_bases(Class(node, module)))


def _docs_of_bases(cls: Class) -> tuple[str, ...]:
    try:
        docs = [ast.get_docstring(base.node) for base in linearized(cls)[1:]]
    except UnknownError:
        return ()
    return tuple(doc for doc in docs if doc)


def _signature(
    parameters: tuple[Parameter, ...] | None,
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
    module: Module,
) -> Signature | None:
    if parameters is None:
        return None
    return Signature(parameters, ast.get_docstring(node) or "", module.file, node.lineno)
