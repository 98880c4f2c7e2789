"""A dataset of your own: anything with `__len__` and `__getitem__`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class NoisyBlobs:
    """Grey images `(1, size, size)` of a blob under noise, and the blob's place `(2,)` in [0, 1]: `{image, place}`.

    The noise is drawn anew in every epoch, by the random numbers that a run seeds for each sample.
    """

    def __init__(self, samples: int, size: int = 24, noise: float = 0.2, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.places = torch.rand(samples, 2, generator=generator)
        self.size, self.noise = size, noise

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        line = torch.linspace(0, 1, self.size)
        x, y = self.places[index]
        image = torch.exp(-((line[None] - x) ** 2 + (line[:, None] - y) ** 2) / 0.02)
        return {"image": (image + self.noise * torch.randn(image.shape))[None], "place": self.places[index]}


def register(registry: Any) -> None:
    """Tell a run what this module has."""
    registry.register_module("dataset.noisy_blobs", NoisyBlobs)
