"""Reads the signature of `module:attribute` from source. Nothing is imported, parent packages included."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from offline_trainer_core.signature.construction import constructor
from offline_trainer_core.signature.docstrings import assigned_doc
from offline_trainer_core.signature.functions import parameters_of
from offline_trainer_core.signature.names import follow
from offline_trainer_core.signature.parameters import Parameter, Signature
from offline_trainer_core.signature.source import Module, read_module

__all__ = ["read_signature"]


def read_signature(reference: str, folders: Iterable[str] = ()) -> Signature | None:
    """Return what the target of `module:attribute` takes, or None where the source cannot tell.

    `folders` are looked in before the path: where local modules are.
    """
    module_name, _, attribute = reference.partition(":")
    module = read_module(module_name, tuple(folders))
    found = follow(attribute, module) if module is not None and attribute else None
    if found is None:
        return None
    if isinstance(found.node, ast.ClassDef):
        return _of_class(found.node, found.module)
    if isinstance(found.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        is_method = "." in attribute
        parameters = parameters_of(found.node, found.module, is_method=is_method)
        return _signature(parameters, found.node, found.module)
    return None


def _of_class(node: ast.ClassDef, module: Module) -> Signature | None:
    signature = _signature(constructor(node, module), node, module)
    if signature is None or signature.doc:
        return signature
    inits = [s for s in node.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"]
    doc = assigned_doc(node.name, module) or (ast.get_docstring(inits[-1]) if inits else None)
    return Signature(signature.parameters, doc or "", signature.file, signature.line)


def _signature(
    parameters: tuple[Parameter, ...] | None,
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
    module: Module,
) -> Signature | None:
    if parameters is None:
        return None
    return Signature(parameters, ast.get_docstring(node) or "", module.file, node.lineno)
