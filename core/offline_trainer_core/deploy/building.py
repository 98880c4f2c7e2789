"""From a definition and the state of a checkpoint to a policy that acts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline_trainer_core.deploy.definition import planned
from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record.codec import Decoder
from offline_trainer_core.signature.parts import call_with_parts
from offline_trainer_core.types import RunInfo

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from offline_trainer_core.networks import PolicyModule

__all__ = ["build_policy", "policy_of", "sections_of_policy"]

_MODELS = "models."


def sections_of_policy(section: str) -> bool:
    """Whether a policy needs this section of a checkpoint; callbacks may keep the weights that it acts with."""
    return section in ("normalizer", "algorithm", "io", "loss") or section.startswith(
        (_MODELS, "surroundings.", "callbacks.", "plugins.")
    )


def build_policy(definition: Mapping[str, Any], tensors: Mapping[str, Tensor], device: Any = "cpu") -> PolicyModule:
    """Return the policy that an exporter was given as `definition` and `tensors`, in eval mode on `device`.

    Raises `ConfigError` where a component is not installed, `CheckpointError` where the tensors do not fit.
    """
    import torch

    state = Decoder(dict(tensors)).decode(definition["state"])
    return policy_of(definition["config"], state, source="the export", device=torch.device(device))


def policy_of(
    definition: Mapping[str, Any], state: Mapping[str, Any], *, source: object, device: torch.device
) -> PolicyModule:
    """Return the policy of a definition with the `state` of a checkpoint, by section; only what acts is imported.

    `source` begins the messages of what does not fit.
    """
    import torch

    from offline_trainer_core.build.parts import build_section
    from offline_trainer_core.catalogue.local import import_local_module
    from offline_trainer_core.networks import Normalizer, PolicyModule

    config, registry, plan = planned(definition)
    for module in plan.local_modules:
        import_local_module(module.name, module.folder, registry)
    registry = registry.with_local(plan.targets())
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and then replaced
        models = _models(config, registry, plan, state, source, device)
        normalizer = Normalizer.restored(
            config.plain("normalize") or {}, state.get("normalizer", {}), source, config.plain("relative")
        )
        io, loss = (build_section(config, registry, section) for section in ("io", "loss"))
        algorithm = build_section(config, registry, "algorithm", default="algo.supervised")
        parts = {"io": io, "loss": loss, "algorithm": algorithm, "models": models, "normalizer": normalizer.to(device)}
        _set_up(parts, definition, registry, device)
    for name in ("io", "loss", "algorithm"):
        _restore(parts[name], name, state, source)
    return PolicyModule(algorithm, models, parts["normalizer"]).eval()


def _models(
    config: Any, registry: Any, plan: Any, state: Mapping[str, Any], source: object, device: torch.device
) -> dict[str, nn.Module]:
    from offline_trainer_core.build.models import build_models
    from offline_trainer_core.networks import ModelOptions, Surroundings, load_weights_into

    models, _ = build_models(config, registry, plan)
    saved = sorted(section.removeprefix(_MODELS) for section in state if section.startswith(_MODELS))
    if saved != sorted(models):
        raise CheckpointError(
            f"{source} is of another architecture: it has the models {', '.join(saved) or 'none'}, and the "
            f"configuration describes {', '.join(sorted(models))}"
        )
    for name, model in models.items():
        load_weights_into(model, name, ModelOptions(weights=state[f"{_MODELS}{name}"], weights_source=str(source)))
        if f"surroundings.{name}" in state:
            Surroundings(model).load_state_dict(state[f"surroundings.{name}"])
        model.to(device).eval()
    return models


def _set_up(parts: Mapping[str, Any], definition: Mapping[str, Any], registry: Any, device: torch.device) -> None:
    """Give the algorithm what it asks for of the parts that a policy has."""
    from offline_trainer_core.distributed import OneProcess

    if not hasattr(parts["algorithm"], "setup"):
        return
    run = RunInfo(definition["run"]["name"], Path(), seed=definition["run"]["seed"], device=device)
    models = {"model": next(iter(parts["models"].values())), "modules": parts["models"]}
    mine = {**parts, **models, "run": run, "registry": registry, "collectives": OneProcess()}
    call_with_parts(parts["algorithm"].setup, mine, "a policy")


def _restore(part: Any, name: str, state: Mapping[str, Any], source: object) -> None:
    if name not in state or not hasattr(part, "load_state_dict"):
        return
    try:
        part.load_state_dict(state[name])
    except Exception as error:
        raise CheckpointError(f"{source}: the state of '{name}' does not fit this policy: {error}") from error
