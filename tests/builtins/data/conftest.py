from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """Return a function from the name of a real data set to its folder; skips the test where it is absent."""
    root = Path(os.environ.get("OT_DATA", REPOSITORY.parent / "shared" / "data"))

    def find(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"{root / name} is absent; set OT_DATA to the folder of the real data")
        return root / name

    return find


@pytest.fixture
def placed() -> Callable[..., Any]:
    """Return a function that places a data module on one of several processes and sets it up."""

    def place(module: Any, *, seed: int = 0, rank: int = 0, world_size: int = 1) -> Any:
        import torch

        module.place(seed=seed, rank=rank, world_size=world_size, device=torch.device("cpu"))
        module.setup("fit")
        return module

    return place


@pytest.fixture
def assert_same_batches() -> Callable[[Iterable[Any], Iterable[Any]], None]:
    """Return a function that compares two sequences of flat batches bit by bit."""

    def compare(found: Iterable[Any], expected: Iterable[Any]) -> None:
        import torch

        found, expected = list(found), list(expected)
        assert len(found) == len(expected)
        for ours, reference in zip(found, expected, strict=True):
            assert ours.keys() == reference.keys()
            for name in reference:
                assert torch.equal(ours[name], reference[name]), name

    return compare
