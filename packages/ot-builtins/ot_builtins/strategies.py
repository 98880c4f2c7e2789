"""How models live on the processes of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from offline_trainer_core.types import PositiveFloat

__all__ = ["Ddp", "Single"]


class Single:
    """One process: a model is its own replica."""

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return `model`."""
        return model

    def accumulate(self, models: Iterable[nn.Module]) -> AbstractContextManager[None]:
        """There is nothing to synchronise, so nothing to hold back."""
        return nullcontext()

    def synchronise(self, models: Iterable[nn.Module]) -> None:
        """There is nobody to differ from."""


class Ddp:
    """A replica of every model on each process, gradients averaged while backward runs (Li et al. 2020).

    On one process, a model is its own replica.

    Args:
        find_unused_parameters: Whether some parameters may take no part in an update; costs a walk through the graph.
        static_graph: Whether every update uses the same parameters in the same order.
        bucket_cap_mb: Size of the buckets in which gradients travel, in MB.
    """

    def __init__(
        self, find_unused_parameters: bool = False, static_graph: bool = False, bucket_cap_mb: PositiveFloat = 25.0
    ) -> None:
        self._options = {
            "find_unused_parameters": find_unused_parameters,
            "static_graph": static_graph,
            "bucket_cap_mb": bucket_cap_mb,
        }

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return the replica that synchronises its gradients; its weights start as rank 0's."""
        if not dist.is_initialized():  # a run on one process has no process group
            return model
        device_ids = [device] if device.type == "cuda" else None
        return DistributedDataParallel(
            model, device_ids=device_ids, gradient_as_bucket_view=True, **self._options  # type: ignore[arg-type]
        )  # fmt: skip

    def accumulate(self, models: Iterable[nn.Module]) -> AbstractContextManager[None]:
        """Return a context in which gradients add up on each process."""
        return _without_synchronisation(models)

    def synchronise(self, models: Iterable[nn.Module]) -> None:
        """Give the buffers of all processes the values that they have on the first.

        The next forward in training does so too: what the others have gathered in theirs never counts.
        """
        if dist.is_initialized():
            for model in models:
                for buffer in model.buffers():
                    dist.broadcast(buffer, src=0)


@contextmanager
def _without_synchronisation(models: Iterable[nn.Module]) -> Iterator[None]:
    with ExitStack() as stack:
        for model in models:
            if isinstance(model, DistributedDataParallel):
                stack.enter_context(model.no_sync())
        yield
