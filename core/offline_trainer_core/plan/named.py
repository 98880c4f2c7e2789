"""Components that plain strings name: `type: AdamW`, where the annotation says `ComponentOf("optim_cls")`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from offline_trainer_core.config import join_path
from offline_trainer_core.plan.document import Mention
from offline_trainer_core.plan.fields import descend
from offline_trainer_core.plan.resolution import Resolver
from offline_trainer_core.signature import Choice, Parameter, Signature, default_value, named_components, read_type

__all__ = ["named_by"]


def named_by(mention: Mention, signature: Signature, resolver: Resolver, folders: Iterable[str]) -> Iterator[Mention]:
    """Yield what the arguments of a spec name, in its defaults too.

    A name that a `Literal` allows is known to the component itself; it takes part in the plan where one entry has it.
    """
    for parameter, value, path in _given(mention, signature):
        form = read_type(parameter.annotation, module=parameter.module, folders=folders)
        for keys, named, name in named_components(form, value):
            place, _ = descend(path or join_path(mention.path, parameter.name), value, keys)
            prefix = f"{named.kind}."
            key = f"{prefix}{name.removeprefix(prefix)}"
            if isinstance(named.inner, Choice) and len(resolver.offers(key)) != 1:
                continue
            yield Mention(
                mention.document,
                place,
                key,
                (named.kind,),
                caret=place if path else mention.caret,
                prefix=prefix,
                factory=mention,
                passes=(named.args, named.kwargs),
            )


def _given(mention: Mention, signature: Signature) -> Iterator[tuple[Parameter, Any, str]]:
    """Yield every annotated parameter with its value and its place, which is empty for a default."""
    args, kwargs, paths = mention.arguments()
    by_position = {parameter.name: index for index, parameter in enumerate(signature.positional[: len(args)])}
    for parameter in signature.parameters:
        if not parameter.annotation:
            continue
        if parameter.name in kwargs:
            yield parameter, kwargs[parameter.name], paths[parameter.name]
        elif parameter.name in by_position:
            index = by_position[parameter.name]
            yield parameter, args[index], join_path(join_path(mention.path, "_args_"), index)
        elif parameter.default:
            yield parameter, default_value(parameter.default), ""
