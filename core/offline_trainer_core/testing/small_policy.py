"""A small policy for the contract of exporters, and the definition that `build_policy` makes it from again.

The definition imports this module as a local one, whose `register` names the parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from offline_trainer_core.deploy import build_policy
from offline_trainer_core.networks import Normalizer, PolicyModule
from offline_trainer_core.record.codec import Encoder

__all__ = ["small_inputs", "small_policy"]

CHUNK = (2, 3)
_NORMALIZE = {"observation.state": "min_max", "action": "min_max"}
_CONFIG: dict[str, Any] = {
    "schema_version": 1,
    "run": {"name": "contract", "out_dir": ".", "seed": 0},
    "imports": [__name__],
    "settings": {"allowed_import_prefixes": [__name__]},
    "model": {"_type_": "model.contract.network"},
    "algorithm": {"_type_": "algo.contract.sampling"},
    "normalize": _NORMALIZE,
}
_STATISTICS = {
    "observation.state": {"min": torch.tensor([-1.0, -2.0, -3.0]), "max": torch.tensor([1.0, 0.5, 4.0])},
    "action": {"min": torch.tensor([-1.0, 0.0, 2.0]), "max": torch.tensor([1.0, 5.0, 8.0])},
}


class Network(nn.Module):
    """Maps pixels `(B, 4, 4, 3)`, a state `(B, 3)` and noise `(B, 2, 3)` to a chunk of actions `(B, 2, 3)`."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(57, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 6))

    def forward(self, image: Tensor, state: Tensor, noise: Tensor) -> Tensor:
        """Return the noise, moved by what is seen."""
        seen = torch.cat([image.flatten(1) / 255, state, noise.flatten(1)], -1)
        moved: Tensor = self.layers(seen)
        return noise + moved.reshape(-1, *CHUNK)


class Sampling:
    """Acts with what the network makes of an observation and of noise."""

    noise_shape = CHUNK

    def setup(self, *, model: nn.Module) -> None:
        self._model = model

    def act(self, observation: Mapping[str, Any], noise: Tensor) -> Tensor:
        action: Tensor = self._model(observation["observation.image"], observation["observation.state"], noise)
        return action


def register(registry: Any) -> None:
    """Name the parts of the policy."""
    registry.register_module("model.contract.network", Network)
    registry.register_module("algo.contract.sampling", Sampling)


def small_policy() -> tuple[PolicyModule, dict[str, Any], dict[str, Tensor]]:
    """Return the policy, its definition and its tensors: what an exporter is given."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = Network().state_dict()
    encoder = Encoder("policy")
    state = encoder.encode({"models.model": weights, "normalizer": Normalizer(_NORMALIZE, _STATISTICS).state_dict()})
    definition = {"config": _CONFIG, "state": state}
    return build_policy(definition, encoder.tensors), definition, encoder.tensors


def small_inputs(count: int, seed: int = 0) -> tuple[dict[str, Tensor], Tensor]:
    """Return `(observation, noise)` with `count` rows."""
    generator = torch.Generator().manual_seed(seed)
    observation = {
        "observation.image": torch.randint(256, (count, 4, 4, 3), dtype=torch.uint8, generator=generator),
        "observation.state": torch.randn(count, 3, generator=generator),
    }
    return observation, torch.randn(count, *CHUNK, generator=generator)
