"""Floating-point operations of matrix products, convolutions and attention, and what was computed besides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, flop_registry

__all__ = ["FlopCounter", "not_counted"]

_COPIES = {
    "_local_scalar_dense", "_to_copy", "_unsafe_view", "arange", "cat", "clone", "constant_pad_nd", "copy_", "detach",
    "embedding", "empty", "eye", "fill_", "flip", "full", "gather", "index", "index_select", "linspace", "lift_fresh",
    "new_empty", "new_full", "new_zeros", "ones", "ones_like", "repeat", "roll", "scalar_tensor", "scatter", "stack",
    "zeros", "zeros_like",
}  # fmt: skip
"""Operations that move numbers and compute none."""


def _attention_on_cpu(query: torch.Size, key: torch.Size, value: torch.Size, *_: Any, **__: Any) -> int:
    batch, heads, queries, width = query
    return 2 * batch * heads * queries * key[-2] * (width + value[-1])


_ATTENTION_ON_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_OF_OUR_OWN = {_ATTENTION_ON_CPU: _attention_on_cpu}
"""What torch has no formula for."""


class FlopCounter(FlopCounterMode):
    """torch's counter, two operations for each multiply-add, that also knows attention on a CPU."""

    def __init__(self) -> None:
        super().__init__(display=False, custom_mapping=_OF_OUR_OWN)


def not_counted(operations: Iterable[Any]) -> tuple[str, ...]:
    """Return the names of those of `operations` that compute something and have no formula.

    Element-wise operations stand for one; views, copies and random numbers are left out.
    """
    names = set()
    for operation in operations:
        packet, name = operation.overloadpacket, operation.overloadpacket.__name__
        if packet in flop_registry or packet in _OF_OUR_OWN or name in _COPIES or operation.is_view:
            continue
        if torch.Tag.nondeterministic_seeded in operation.tags:
            continue
        names.add("element-wise operations" if torch.Tag.pointwise in operation.tags else name.strip("_"))
    return tuple(sorted(names, key=lambda name: (name != "element-wise operations", name)))
