"""With which weights a policy acts: those of training, or an average that a callback keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

from offline_trainer_core.errors import CheckpointError

__all__ = ["POLICY_WEIGHTS", "with_policy_weights"]

POLICY_WEIGHTS = "policy_weights"
"""The key in the state of a callback or hook plugin under which are the weights that the policy is judged by and acts
with: `{model: {parameter: tensor}}`, those of training where it has none. `cb.ema` keeps its averages there."""


def with_policy_weights(state: Mapping[str, Any], source: object) -> dict[str, Any]:
    """Return the sections of a checkpoint with the weights that its policy acts with in those of the models.

    Nothing needs to be known of the callback that kept them. Raises `CheckpointError` that begins with `source` where
    two callbacks have some, or they do not fit the models.
    """
    kept = {section: nest[POLICY_WEIGHTS] for section, nest in state.items() if _has_weights(section, nest)}
    if len(kept) > 1:
        raise CheckpointError(
            f"{source}: {' and '.join(kept)} each have weights that the policy is to act with: leave one of them in "
            "the configuration"
        )
    sections = dict(state)
    for model, weights in (item for named in kept.values() for item in named.items()):
        sections[f"models.{model}"] = _replaced(
            sections.get(f"models.{model}", {}), weights, f"{source}: {next(iter(kept))}"
        )
    return sections


def _has_weights(section: str, nest: Any) -> bool:
    listens = section.startswith(("callbacks.", "plugins."))
    return listens and isinstance(nest, Mapping) and bool(nest.get(POLICY_WEIGHTS))


def _replaced(saved: Mapping[str, Any], weights: Mapping[str, Any], owner: str) -> Mapping[str, Any]:
    unknown = sorted(weights.keys() - saved.keys())
    if unknown:
        raise CheckpointError(f"{owner} has weights of {', '.join(unknown[:5])}, which the model has not")
    merged: Any = copy(saved)  # a state_dict carries the versions of its modules as an attribute
    merged.update(weights)
    return merged  # type: ignore[no-any-return]
