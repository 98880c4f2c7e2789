"""Randomness: the generator states that a checkpoint keeps."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

__all__ = ["Generators"]


class Generators:
    """The states of the random generators of this process: the global ones, and those that its loader draws from."""

    def __init__(self, device: torch.device | str = "cpu", others: Sequence[torch.Generator] = ()) -> None:
        self._gpu = torch.device(device) if torch.device(device).type == "cuda" else None
        self._others = others

    def state_dict(self) -> dict[str, Any]:
        kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
        return {
            "python": random.getstate(),
            "numpy": {"kind": kind, "keys": np.asarray(keys), "position": position, "gauss": (has_gauss, gauss)},
            "torch": torch.get_rng_state(),
            "cuda": None if self._gpu is None else torch.cuda.get_rng_state(self._gpu),
            "others": [generator.get_state() for generator in self._others],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        version, internal, gauss_next = state["python"]
        random.setstate((version, tuple(internal), gauss_next))
        numpy = state["numpy"]
        np.random.set_state((numpy["kind"], np.asarray(numpy["keys"], np.uint32), numpy["position"], *numpy["gauss"]))
        torch.set_rng_state(state["torch"])
        if self._gpu is not None and state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"], self._gpu)
        for generator, saved in zip(self._others, state["others"], strict=True):
            generator.set_state(saved)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Whatever is drawn inside, go on from the states of before."""
        before = self.state_dict()
        try:
            yield
        finally:
            self.load_state_dict(before)
