"""The parameters of a function as its source spells them."""

from __future__ import annotations

import ast

from offline_trainer_core.signature.names import full_name
from offline_trainer_core.signature.parameters import Kind, Parameter
from offline_trainer_core.signature.source import Module

__all__ = ["called", "parameters_of"]

KEEPS_SIGNATURE = {
    "abc.abstractmethod",
    "builtins.classmethod",
    "builtins.staticmethod",
    "contextlib.contextmanager",
    "functools.cache",
    "functools.lru_cache",
    "torch.compile",
    "torch.compiler.disable",
    "torch.enable_grad",
    "torch.inference_mode",
    "torch.jit.export",
    "torch.jit.ignore",
    "torch.jit.unused",
    "torch.no_grad",
    "typing.final",
    "typing.no_type_check",
    "typing.override",
    "typing_extensions.deprecated",
    "typing_extensions.final",
    "typing_extensions.override",
    "warnings.deprecated",
}


def called(decorator: ast.expr) -> ast.expr:
    """Return what a decorator names, with or without arguments."""
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def parameters_of(
    node: ast.FunctionDef | ast.AsyncFunctionDef, module: Module, *, is_method: bool
) -> tuple[Parameter, ...] | None:
    """Return the parameters, without the one that a method is bound to; None if a decorator may change them."""
    decorators = {full_name(called(decorator), module) for decorator in node.decorator_list}
    if not decorators <= KEEPS_SIGNATURE:
        return None
    parameters = _all_parameters(node.args, module)
    bound = is_method and "builtins.staticmethod" not in decorators
    if bound and parameters and parameters[0].kind in ("positional_only", "positional"):
        return parameters[1:]
    return parameters


def _all_parameters(args: ast.arguments, module: Module) -> tuple[Parameter, ...]:
    positional = [*args.posonlyargs, *args.args]
    no_default: list[ast.expr | None] = [None] * (len(positional) - len(args.defaults))
    found = []
    for index, (arg, default) in enumerate(zip(positional, [*no_default, *args.defaults], strict=True)):
        kind: Kind = "positional_only" if index < len(args.posonlyargs) else "positional"
        found.append(_parameter(arg, kind, default, module))
    if args.vararg:
        found.append(_parameter(args.vararg, "var_positional", None, module))
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        found.append(_parameter(arg, "keyword", default, module))
    if args.kwarg:
        found.append(_parameter(args.kwarg, "var_keyword", None, module))
    return tuple(found)


def _parameter(arg: ast.arg, kind: Kind, default: ast.expr | None, module: Module) -> Parameter:
    annotation = ast.unparse(arg.annotation) if arg.annotation else ""
    text = ast.unparse(default) if default is not None else ""
    return Parameter(arg.arg, kind, default is not None, text, annotation, module.name)
