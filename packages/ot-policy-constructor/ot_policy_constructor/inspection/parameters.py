"""How many parameters a module has, which of them are trained, and the memory that they take."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor, nn

__all__ = ["Count", "count"]


class Count(NamedTuple):
    """The parameters of some modules, shared ones counted once."""

    trainable: int
    frozen: int
    bytes: int
    """Of parameters and buffers."""
    dtypes: tuple[str, ...]
    """Of the parameters; of the buffers where there are none."""

    @property
    def total(self) -> int:
        """Trainable and frozen parameters."""
        return self.trainable + self.frozen


def count(modules: Iterable[nn.Module]) -> Count:
    """Return what `modules` have together."""
    parameters: dict[int, Tensor] = {}
    buffers: dict[int, Tensor] = {}
    for module in modules:
        parameters |= {id(parameter): parameter for parameter in module.parameters()}
        buffers |= {id(buffer): buffer for buffer in module.buffers()}
    held = [*parameters.values(), *buffers.values()]
    return Count(
        trainable=sum(p.numel() for p in parameters.values() if p.requires_grad),
        frozen=sum(p.numel() for p in parameters.values() if not p.requires_grad),
        bytes=sum(tensor.numel() * tensor.element_size() for tensor in held),
        dtypes=tuple(sorted({str(t.dtype).removeprefix("torch.") for t in (parameters or buffers).values()})),
    )
