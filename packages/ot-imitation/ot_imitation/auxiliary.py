"""Losses that model components report beside what they are for, such as the load balancing of a mixture of experts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from offline_trainer_core import ComponentError

__all__ = ["auxiliary_losses"]


def auxiliary_losses(key: str, weights: Mapping[str, float], outputs: Iterable[Any]) -> dict[str, Tensor]:
    """Return the loss under each name in `weights`, weighted and summed over the `outputs` of components that have it.

    Raises `ComponentError`, beginning with `key`, where no component reports one of them.
    """
    reports = [output for output in outputs if isinstance(output, Mapping)]
    losses: dict[str, Tensor] = {}
    for name, weight in weights.items():
        found = [report[name] for report in reports if name in report]
        if not found:
            known = sorted({str(reported) for report in reports for reported in report})
            raise ComponentError(
                f"{key}: auxiliary.{name}: no model component returns '{name}' in a mapping; they return: "
                f"{', '.join(known) or 'no mappings'}"
            )
        losses[name] = weight * sum(found[1:], found[0])
    return losses
