"""Keyword arguments that are typed as a whole: `**options: Unpack[Options]`, where `Options` is a `TypedDict`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from offline_trainer_core.signature.names import Found, dotted, follow
from offline_trainer_core.signature.parameters import Parameter, Signature
from offline_trainer_core.signature.source import read_module

__all__ = ["unpacked"]


def unpacked(signature: Signature, folders: tuple[str, ...] = ()) -> Signature:
    """Return `signature` with the fields of the mapping in place of `**options`, where they can be read.

    Python itself leaves them to type checkers, so that `inspect.signature` shows `**options`.
    """
    last = signature.parameters[-1] if signature.parameters else None
    if last is None or last.kind != "var_keyword" or "Unpack[" not in last.annotation:
        return signature
    fields = list(_fields(last, folders))
    return signature._replace(parameters=(*signature.parameters[:-1], *fields)) if fields else signature


def _fields(parameter: Parameter, folders: tuple[str, ...]) -> Iterator[Parameter]:
    found = _typed_dict(parameter, folders)
    if found is None or not isinstance(found.node, ast.ClassDef) or len(found.node.bases) != 1:
        return  # a mapping that extends another is not read
    base = dotted(found.node.bases[0]) or ""
    if not base.endswith("TypedDict"):
        return
    total = not any(keyword.arg == "total" and ast.unparse(keyword.value) == "False" for keyword in found.node.keywords)
    for statement in found.node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            annotation = ast.unparse(statement.annotation)
            optional = "NotRequired[" in annotation or (not total and "Required[" not in annotation)
            default = "..." if optional else ""
            yield Parameter(statement.target.id, "keyword", optional, default, annotation, found.module.name)


def _typed_dict(parameter: Parameter, folders: tuple[str, ...]) -> Found | None:
    annotation = ast.parse(parameter.annotation.strip("'\""), mode="eval").body
    scope = read_module(parameter.module, folders)
    name = dotted(annotation.slice) if isinstance(annotation, ast.Subscript) else None
    return follow(name, scope) if name is not None and scope is not None else None
