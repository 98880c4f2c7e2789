"""Randomness: one seed for everything, and the generator states that a checkpoint keeps."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

__all__ = ["Generators", "seed_everything"]


def seed_everything(seed: int, rank: int = 0) -> None:
    """Seed Python, NumPy and torch. Every process gets its own stream; models are built before, from the same one."""
    random.seed(seed + rank)
    np.random.seed((seed + rank) % 2**32)
    torch.manual_seed(seed + rank)


class Generators:
    """The states of the global random generators of this process."""

    def state_dict(self) -> dict[str, Any]:
        kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
        return {
            "python": random.getstate(),
            "numpy": {"kind": kind, "keys": np.asarray(keys), "position": position, "gauss": (has_gauss, gauss)},
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        version, internal, gauss_next = state["python"]
        random.setstate((version, tuple(internal), gauss_next))
        numpy = state["numpy"]
        np.random.set_state((numpy["kind"], np.asarray(numpy["keys"], np.uint32), numpy["position"], *numpy["gauss"]))
        torch.set_rng_state(state["torch"])
        if state["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"])
