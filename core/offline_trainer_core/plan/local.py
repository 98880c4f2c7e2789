"""Reads what local modules register, from their source: looking imports nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from typing import NamedTuple

from offline_trainer_core.catalogue import Entry
from offline_trainer_core.signature import Module, read_module

__all__ = ["LocalModule", "read_local_module"]


class LocalModule(NamedTuple):
    """A module under `imports`: where it is, what it registers, and what of that could not be seen."""

    name: str
    file: str
    folder: str | None
    """The folder from which it is imported; None where that is on the path anyway."""
    entries: tuple[Entry, ...]
    unseen: tuple[int, ...]
    """Lines that register something under a key that only running them tells."""
    digest: str
    has_register: bool


def read_local_module(name: str, folders: Sequence[str]) -> LocalModule | None:
    """Return the module `name`, looked for in `folders` and then on the path; None where there is no source to read."""
    if not all(part.isidentifier() for part in name.split(".")):
        return None  # finders of modules need not expect such a name
    for folder in folders:
        if PathFinder.find_spec(name.partition(".")[0], [folder]) and (module := read_module(name, (folder,))):
            return _local_module(module, folder)
    module = read_module(name)
    return _local_module(module, None) if module is not None else None


def _local_module(module: Module, folder: str | None) -> LocalModule | None:
    import xxhash

    if module.body is None:
        return None
    entries, unseen = [], []
    for call, registers in _calls(module.body):
        entry = _entry(call, module) if registers else None
        if entry is None:
            unseen.append(call.lineno)
        else:
            entries.append(entry)
    digest = f"xxh3:{xxhash.xxh3_128_hexdigest(module.source.encode())}"
    has_register = "register" in module.bindings or bool(module.stars)
    return LocalModule(module.name, module.file, folder, tuple(entries), tuple(unseen), digest, has_register)


def _calls(body: list[ast.stmt]) -> Iterator[tuple[ast.Call, bool]]:
    """Yield the calls that register a component (True), or that hand the registry on to other code (False)."""
    register = next((s for s in body if isinstance(s, ast.FunctionDef) and s.name == "register"), None)
    receiver = register.args.args[0].arg if register is not None and register.args.args else "registry"
    for node in (node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("register_module", "register_op"):
            yield node, True
        elif any(isinstance(argument, ast.Name) and argument.id == receiver for argument in node.args):
            yield node, False


def _entry(call: ast.Call, module: Module) -> Entry | None:
    """Return the entry of a call `registry.register_module("key", Target)`, or None if its key is computed."""
    given = dict(zip(("key", "target", "signature_policy"), call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    key = given.get("key")
    if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        return None
    is_op = isinstance(call.func, ast.Attribute) and call.func.attr == "register_op"
    policy = given.get("signature_policy")
    best_effort = isinstance(policy, ast.Constant) and policy.value == "best_effort"
    return Entry(
        f"op.{key.value}" if is_op else key.value,
        _reference(given.get("target"), module),
        signature_policy="best_effort" if best_effort else "strict",
        origin="local",
    )


def _reference(target: ast.expr | None, module: Module) -> str:
    """Return `module:attribute` for a name or a string; an attribute that does not exist for any other expression."""
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        return target.value
    return f"{module.name}:{ast.unparse(target) if target is not None else ''}"
