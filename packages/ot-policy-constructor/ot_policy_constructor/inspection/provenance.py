"""Where tensors come from: which fields of the batch and which outputs of components were used to compute them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["Provenance"]


class Provenance(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows every operation while it is active. Tensors are told apart by the memory in which they lie, so that a
    view has the sources of what it looks at.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: set[Any] = set()
        """What was computed while `listening`."""
        self.listening = False
        self._sources: dict[int, frozenset[str]] = {}
        self._kept: list[Any] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given, made = _tensors((args, kwargs)), _tensors(result)
        if self.listening:
            self.operations.add(func)
        origin: frozenset[str] = frozenset()
        if not _takes_only_the_shape(func.overloadpacket.__name__):
            origin = origin.union(*(self.sources(tensor) for tensor in given))
        for tensor in made:
            self._note(tensor, origin | self.sources(tensor))
        return result

    def declare(self, tensors: Iterable[Tensor], source: str) -> None:
        """Say that from here on `tensors` are a source of their own."""
        for tensor in tensors:
            self._note(tensor, frozenset({source}))

    def sources(self, tensor: Tensor) -> frozenset[str]:
        """Return from which declared sources `tensor` was computed."""
        return self._sources.get(self.storage(tensor), frozenset())

    def storage(self, tensor: Tensor) -> int:
        """Return a number that tensors in the same memory share."""
        return int(tensor.untyped_storage()._cdata)

    def _note(self, tensor: Tensor, sources: frozenset[str]) -> None:
        if sources and self.storage(tensor) not in self._sources:
            self._kept.append(tensor.untyped_storage())  # so that no other tensor is given this memory
        if sources:
            self._sources[self.storage(tensor)] = sources


def _takes_only_the_shape(name: str) -> bool:
    return name.startswith("new_") or name.endswith("_like")


def _tensors(nest: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(nest) if isinstance(leaf, torch.Tensor)]
