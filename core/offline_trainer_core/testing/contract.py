"""What all contracts share: exemptions that give their reason, fixed randomness, and the comparison of nests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch

from offline_trainer_core.nest import leaves

__all__ = ["Contract", "same"]


class Contract:
    """Base of the contracts: every check makes its own component, with torch seeded alike."""

    exempt: ClassVar[dict[str, str]] = {}
    """Checks that are left out, each with the reason."""

    def make(self) -> Any:
        """Return a fresh component."""
        raise NotImplementedError(f"{type(self).__name__} must define make()")

    @pytest.fixture(autouse=True)
    def _left_out_or_seeded(self, request: pytest.FixtureRequest) -> Iterator[None]:
        unknown = [name for name in self.exempt if not hasattr(self, name)]
        if unknown:
            pytest.fail(f"{type(self).__name__}.exempt names checks that do not exist: {', '.join(unknown)}")
        reason = self.exempt.get(request.node.originalname)
        if reason is not None:
            pytest.skip(reason)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            yield


def same(a: Any, b: Any) -> bool:
    """Whether two nests have the same form and equal leaves, bit for bit."""
    left, right = list(leaves(a)), list(leaves(b))
    return len(left) == len(right) and all(x == y and _equal(p, q) for (x, p), (y, q) in zip(left, right, strict=True))


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    return type(a) is type(b) and bool(a == b)
