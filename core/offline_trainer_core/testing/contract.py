"""What all contracts share: exemptions that give their reason, and the comparison of nests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch

from offline_trainer_core.nest import leaves

__all__ = ["Contract", "same"]


class Contract:
    """Base of the contracts."""

    exempt: ClassVar[dict[str, str]] = {}
    """Checks that are left out, each with the reason."""

    def make(self) -> Any:
        """Return a fresh component."""
        raise NotImplementedError(f"{type(self).__name__} must define make()")

    @pytest.fixture(autouse=True)
    def _leave_out_with_reason(self, request: pytest.FixtureRequest) -> Iterator[None]:
        reason = self.exempt.get(request.node.originalname)
        if reason is not None:
            pytest.skip(reason)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            yield


def same(a: Any, b: Any) -> bool:
    """Whether two nests have the same form and equal leaves, bit for bit."""
    left, right = list(leaves(a)), list(leaves(b))
    return len(left) == len(right) and all(
        x == y and (torch.equal(p, q) if isinstance(p, torch.Tensor) else bool(p == q))
        for (x, p), (y, q) in zip(left, right, strict=True)
    )
