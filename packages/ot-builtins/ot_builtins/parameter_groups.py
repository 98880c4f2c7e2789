"""Which parameters of a model share the settings of an optimizer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any

from torch import nn

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.spelling import did_you_mean

__all__ = ["ParameterGroup", "assign"]


@dataclass(frozen=True)
class ParameterGroup:
    """The parameters whose names match a pattern, and what an optimizer does differently with them."""

    pattern: str
    match: re.Pattern[str]
    label: str
    """What messages call the group."""
    freeze: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], label: str) -> ParameterGroup:
        """Read `{match, freeze, <options>}`: a glob, or a regular expression after `re:`. Raises `ComponentError`."""
        options = {name: value for name, value in config.items() if name not in ("match", "freeze")}
        pattern = config.get("match")
        if not isinstance(pattern, str):
            raise ComponentError(f"{label} needs 'match': a glob over parameter names, or 're:<regular expression>'")
        expression = f".*(?:{pattern.removeprefix('re:')})" if pattern.startswith("re:") else translate(pattern)
        try:
            match = re.compile(expression)
        except re.error as error:
            raise ComponentError(f"{label}: '{pattern}' is no regular expression: {error}") from error
        return cls(pattern, match, f"{label} ('{pattern}')", bool(config.get("freeze", False)), options)


def assign(
    model: nn.Module, groups: Sequence[ParameterGroup]
) -> tuple[list[dict[str, nn.Parameter]], dict[str, nn.Parameter]]:
    """Return the parameters of each group by name, each in the first group that it matches, and the trainable rest.

    Only a group that is to be frozen takes parameters that are not trained anyway. Raises `ComponentError` for a group
    that is left with none, with the nearest names.
    """
    rest = dict(model.named_parameters())
    assigned = []
    for group in groups:
        names = [name for name, parameter in model.named_parameters() if group.freeze or parameter.requires_grad]
        matched = [name for name in names if group.match.match(name)]
        mine = [name for name in matched if name in rest]
        if not matched:
            raise ComponentError(
                f"{group.label} matches no trainable parameter{did_you_mean(group.pattern, names)}\n"
                f"  the names are: {_shortened(names)}"
            )
        if not mine:
            raise ComponentError(
                f"{group.label}: all that it matches is taken by groups before it: {_shortened(matched)}"
            )
        assigned.append({name: rest.pop(name) for name in mine})
    return assigned, {name: parameter for name, parameter in rest.items() if parameter.requires_grad}


def _shortened(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(names[:most])
    return f"{shown}, and {len(names) - most} more" if len(names) > most else shown or "none"
