"""One seed for everything that is drawn: initial weights, and what training draws after them."""

from __future__ import annotations

import random

import numpy as np
import torch

__all__ = ["seed_everything"]


def seed_everything(seed: int, rank: int = 0) -> None:
    """Seed Python, NumPy and torch. Every process gets its own stream; models are built before, from the same one."""
    random.seed(seed + rank)
    np.random.seed((seed + rank) % 2**32)
    torch.manual_seed(seed + rank)
