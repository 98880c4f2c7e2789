"""Follows names through imports, aliases and re-exports to the class or function that they stand for."""

from __future__ import annotations

import ast
import builtins
from typing import NamedTuple

from offline_trainer_core.signature.source import AMBIGUOUS, Binding, Imported, Module, read_module

__all__ = ["Found", "dotted", "follow", "full_name", "member"]

MAX_STEPS = 32


class Found(NamedTuple):
    """What a name stands for, and the module in which that is written. `node` is None for the module itself."""

    module: Module
    node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.expr | None


def dotted(node: ast.expr) -> str | None:
    """Return the text of a name such as `nn.Module`, or None for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else None
    return None


def full_name(node: ast.expr, module: Module) -> str | None:
    """Return the name as the module's own imports give it: `nn.Module` is `torch.nn.Module`. Opens no other file."""
    text = dotted(node)
    if text is None:
        return None
    head, _, rest = text.partition(".")
    binding = module.bindings.get(head)
    if isinstance(binding, Imported):
        origin = f"{binding.module}.{binding.name}" if binding.name else binding.module
        return f"{origin}.{rest}" if rest else origin
    if binding is None and hasattr(builtins, head):
        return f"builtins.{text}"
    return f"{module.name}.{text}"


def follow(name: str, module: Module, steps: int = MAX_STEPS) -> Found | None:
    """Return what the dotted `name` in `module` stands for, or None where the source cannot tell."""
    if steps <= 0:
        return None
    head, _, rest = name.partition(".")
    found = _top_level(head, module, steps)
    if found is None or not rest:
        return found
    if found.node is None:
        return follow(rest, found.module, steps - 1)
    if not isinstance(found.node, ast.ClassDef) or "." in rest:
        return None
    return member(found.node, found.module, rest)


def member(node: ast.ClassDef, module: Module, name: str) -> Found | None:
    """Return a method or inner class of a class itself."""
    nodes = [
        statement
        for statement in node.body
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and statement.name == name
    ]
    return Found(module, nodes[-1]) if nodes else None


def _top_level(name: str, module: Module, steps: int) -> Found | None:
    binding = module.bindings.get(name)
    if binding is not None:
        return _bound_to(binding, module, steps)
    for source in reversed(module.stars):
        starred = read_module(source, module.folders)
        found = follow(name, starred, steps - 1) if starred is not None else None
        if found is not None:
            return found
    submodule = read_module(f"{module.name}.{name}", module.folders) if module.is_package else None
    return Found(submodule, None) if submodule is not None else None


def _bound_to(binding: Binding, module: Module, steps: int) -> Found | None:
    if binding is AMBIGUOUS:
        return None
    if isinstance(binding, Imported):
        source = read_module(binding.module, module.folders)
        if source is None or binding.name is None:
            return Found(source, None) if source is not None else None
        return follow(binding.name, source, steps - 1)
    if isinstance(binding, (ast.Name, ast.Attribute)):
        text = dotted(binding)
        return follow(text, module, steps - 1) if text else None
    assert isinstance(binding, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.expr))
    return Found(module, binding)
