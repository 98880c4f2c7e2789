"""The joined batch of all processes, of which each has a part: for blocks that count over all of it in training."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Return the sum of every process's `tensor`; on a process that stands alone, `tensor`. It passes no gradient."""
    if not _is_connected():
        return tensor
    total = tensor.detach().clone()
    dist.all_reduce(total)
    return total


def place_in_joined_batch(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many rows the processes before this one have, and how many all of them have."""
    rank, world_size = (dist.get_rank(), dist.get_world_size()) if _is_connected() else (0, 1)
    sizes = torch.zeros(world_size, dtype=torch.int64, device=rows.device)
    sizes[rank] = len(rows)
    sizes = sum_over_processes(sizes)
    return sizes[:rank].sum(), sizes.sum()


def _is_connected() -> bool:
    return dist.is_available() and dist.is_initialized()
