"""Watches for values that are read back from the device: each one makes an accelerator wait for the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["HostRead", "no_host_reads"]

aten = torch.ops.aten

READS = {aten._local_scalar_dense.default, aten.equal.default}
"""What `item()`, `float()`, `bool()`, `if tensor:` and `torch.equal` come down to."""
OPEN_SHAPES = {aten.nonzero.default, aten.masked_select.default, aten._unique2.default}
COPIES = {torch.Tensor.cpu, torch.Tensor.numpy, torch.Tensor.tolist}
"""On a CPU these reach no operator that could be seen."""


class HostRead(AssertionError):
    """A value was read back from the device where nothing may wait for it."""


@contextmanager
def no_host_reads() -> Iterator[None]:
    """Raise `HostRead` at the line that reads a tensor's value, or makes a shape that depends on values."""
    with _Copies(), _Operators():  # type: ignore[no-untyped-call]
        yield


class _Copies(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in COPIES:
            raise HostRead(f"Tensor.{func.__name__} brings a tensor to the host: keep it on the device")
        return func(*args, **(kwargs or {}))


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in READS:
            raise HostRead(
                "a tensor's value is read here (item(), float(), bool() or a comparison): keep it on the device"
            )
        if func in OPEN_SHAPES or (func is aten.index.Tensor and _is_masked(args[1])):
            raise HostRead(f"{func} has a shape that depends on values: use torch.where or a weight of 0 and 1")
        return func(*args, **(kwargs or {}))


def _is_masked(indices: Any) -> bool:
    return any(index is not None and index.dtype is torch.bool for index in indices)
