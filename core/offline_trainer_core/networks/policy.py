"""A policy as environments and programs see it: raw observations in, raw actions out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from offline_trainer_core.errors import ComponentError, DataError
from offline_trainer_core.networks.normalizer import Normalizer
from offline_trainer_core.networks.observation import FieldInfo, fitting, flattened, nested

__all__ = ["PolicyModule", "TrainedPolicy"]


class PolicyModule(nn.Module):
    """A policy as one module: it normalizes, lets the algorithm act, and gives actions in the units of the data.

    Its submodules are the networks by name, and the normalizer: what is exported with it.
    """

    def __init__(self, algorithm: Any, networks: Mapping[str, nn.Module], normalizer: Normalizer) -> None:
        """Raises `ComponentError` for an algorithm that cannot act."""
        super().__init__()
        if not hasattr(algorithm, "act"):
            raise ComponentError(
                f"{type(algorithm).__name__} has no 'act' method, so there is no policy to evaluate, load or export"
            )
        self.networks = nn.ModuleDict(networks)
        self.normalizer = normalizer
        self.algorithm = algorithm
        self.action_field: str = getattr(algorithm, "action_field", "action")

    @property
    def noise_shape(self) -> tuple[int, ...] | None:
        """The shape of the noise from which one action is made; None for a policy that takes none."""
        shape = getattr(self.algorithm, "noise_shape", None)
        return None if shape is None else tuple(shape)

    def reset(self, seed: int | None = None) -> None:
        """Begin new episodes."""
        if hasattr(self.algorithm, "reset"):
            self.algorithm.reset(seed)

    def observe(self, observation: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return what the algorithm acts on: the fields, normalized, and those of dotted names as a nest too."""
        return nested(self.normalizer.present(observation))

    def forward(self, observation: Mapping[str, Tensor], noise: Tensor | None = None) -> Tensor:
        """Map `{field: (B, ...)}`, and `noise (B, *noise_shape)` where the policy takes it, to actions `(B, ...)`."""
        observed = self.observe(observation)
        action = self.algorithm.act(observed) if noise is None else self.algorithm.act(observed, noise)
        return self.normalizer.restore(self.action_field, action, observation)


Act = Callable[[Mapping[str, Tensor], Tensor | None], Tensor]


class TrainedPolicy:
    """A policy to call: takes arrays or tensors, draws the noise that it needs, and answers on the CPU."""

    def __init__(
        self,
        module: Act,
        device: torch.device,
        watch: Callable[[], None] = lambda: None,
        *,
        noise_shape: tuple[int, ...] | None = None,
        fields: Mapping[str, FieldInfo] | None = None,
    ) -> None:
        """`module` maps `(observation, noise)` to actions on `device`.

        `watch` is called before every action, and ends an evaluation by what it raises. `noise_shape` is that of the
        module where it has none of its own; with `fields`, an observation that has others is refused.
        """
        self.module = module
        self.fields = fields
        """What it observes, where that is on record."""
        self.noise_shape: tuple[int, ...] | None = getattr(module, "noise_shape", noise_shape)
        self._device = device
        self._watch = watch
        self._generator = torch.Generator().manual_seed(0)

    def reset(self, seed: int | None = None) -> None:
        """Begin new episodes; with a seed, what is drawn from here on is a function of it."""
        if seed is not None:
            self._generator.manual_seed(seed)
        if hasattr(self.module, "reset"):
            self.module.reset(seed)

    @torch.no_grad()
    def act(self, observation: Mapping[str, Any], noise: Any = None) -> Tensor:
        """Map `{field: (B, ...)}` to actions `(B, ...)` or chunks of actions `(B, T, ...)`, on the CPU.

        `noise (B, *noise_shape)` is drawn where the policy takes some and none is given. Raises `DataError` where the
        observation lacks a field, or one has another shape than in training.
        """
        self._watch()
        placed = flattened(observation, self._device)
        if self.fields is not None:
            placed = fitting(placed, self.fields)
        if self.noise_shape is not None:
            noise = self._noise(placed, noise)
        try:
            return self.module(placed, noise).float().cpu()
        except KeyError as error:
            raise DataError(
                f"the policy reads a field that is not observed: {error.args[0] if error.args else 'it has no name'}; "
                f"the observation has: {', '.join(placed) or 'nothing'}"
            ) from error

    __call__ = act

    def _noise(self, observation: Mapping[str, Tensor], given: Any) -> Tensor:
        assert self.noise_shape is not None
        if given is not None:
            return torch.as_tensor(given).to(self._device)
        rows = len(next(iter(observation.values())))
        return torch.randn(rows, *self.noise_shape, generator=self._generator).to(self._device)
