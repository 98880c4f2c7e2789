"""Host memory into which tensors are copied, so that training may go on while they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Staging"]


class Staging:
    """The copies of one save, whose memory the next save uses again.

    Fresh memory costs a page fault for every 4 KiB, which takes longer than the copy itself. What is copied from a GPU
    is copied into pinned memory, all of it before anyone waits.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], Tensor] = {}
        self._used: dict[tuple[str, ...], Tensor] = {}
        self._devices: set[Any] = set()

    def copy(self, tensor: Tensor, place: tuple[str, ...]) -> Tensor:
        """Return a contiguous copy in host memory of the tensor that has this place in the state.

        It holds the values once `settle` was called, and until the next copy for the same place.
        """
        import torch

        host = self._kept.get(place)
        if host is None or (host.dtype, host.shape, host.is_pinned()) != (tensor.dtype, tensor.shape, tensor.is_cuda):
            host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=tensor.is_cuda)
        host.copy_(tensor, non_blocking=tensor.is_cuda)
        if tensor.is_cuda:
            self._devices.add(tensor.device)
        self._used[place] = host
        return host

    def settle(self) -> None:
        """Wait until everything is copied, and give up the memory that this save did not use."""
        import torch

        for device in self._devices:
            torch.cuda.synchronize(device)
        self._devices.clear()
        self._kept, self._used = self._used, {}
