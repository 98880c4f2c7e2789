"""A small state with everything that makes states hard, and what compares two states bit by bit."""

import struct
from collections import Counter, OrderedDict, deque
from pathlib import Path

import numpy as np
import pytest
import torch

from offline_trainer_core.record import CheckpointStore


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints")


@pytest.fixture
def state():
    """Return a function that gives a state by its seed, so that two checkpoints can be told apart."""

    def make(seed: int = 0) -> dict:
        generator = torch.Generator().manual_seed(seed)
        weights = {"0.weight": torch.randn(3, 5, generator=generator), "0.bias": torch.randn(3, generator=generator)}
        moments = {
            index: {"exp_avg": torch.randn(4, generator=generator), "step": torch.tensor(7.0)} for index in range(2)
        }
        return {
            "models.policy": weights,
            "optimizers.policy": {
                "state": moments,
                "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}],
            },
            "counters": {"epoch": 1, "global_step": seed},
            "rank0.generators": {"torch": generator.get_state()},
        }

    return make


@pytest.fixture(scope="session")
def assert_same():
    """Return a function that fails unless two nests have the same types, keys, bits and memory formats."""

    def compare(left, right, place: str = "") -> None:
        assert type(left) is type(right), f"{place}: {type(left)} against {type(right)}"
        if isinstance(left, torch.Tensor):
            assert (left.dtype, left.shape) == (right.dtype, right.shape), place
            assert left.stride() == right.stride(), place
            assert _bytes(left) == _bytes(right), place
        elif isinstance(left, (np.ndarray, np.generic)):
            assert (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes()), place
        elif isinstance(left, (dict, OrderedDict, Counter)):
            compare(list(left), list(right), f"{place} keys")
            for key in left:
                compare(left[key], right[key], f"{place}.{key}")
        elif isinstance(left, (list, tuple, deque)):
            assert len(left) == len(right), place
            assert getattr(left, "maxlen", None) == getattr(right, "maxlen", None), place
            for index, (one, other) in enumerate(zip(left, right, strict=True)):
                compare(one, other, f"{place}[{index}]")
        elif isinstance(left, float) and left == left:
            assert struct.pack("d", left) == struct.pack("d", right), place
        else:
            assert left == right or (left != left and right != right), place

    return compare


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().resolve_conj().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
