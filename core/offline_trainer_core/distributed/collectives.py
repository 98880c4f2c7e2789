"""What the processes of a run say to each other. One process is an implementation, not a special case."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Collectives", "OneProcess", "ProcessGroup", "connect"]


class Collectives(Protocol):
    """The collective operations that a run needs; every process calls each of them in the same order."""

    rank: int
    world_size: int
    local_rank: int
    agreement_interval: int
    """How many steps may pass between two agreements on whether to stop."""

    def all_reduce_sum(self, tensor: Tensor) -> Tensor: ...

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true on any process."""

    def broadcast_object(self, value: Any) -> Any:
        """Return rank 0's `value` on every process."""

    def gather_object(self, value: Any) -> list[Any] | None:
        """Return every process's `value` on rank 0, and None elsewhere."""

    def barrier(self) -> None: ...

    def first_to_say(self, text: str) -> bool:
        """Whether no process has said `text` before: not collective, for what every process finds for itself."""

    def apart(self) -> Collectives:
        """Return collectives of the same processes for another thread, whose calls do not meet those of this one."""

    def close(self) -> None: ...


class OneProcess:
    """A run of one process: every collective is the identity."""

    rank = 0
    world_size = 1
    local_rank = 0
    agreement_interval = 1

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        return tensor

    def any(self, flag: bool) -> bool:
        return flag

    def broadcast_object(self, value: Any) -> Any:
        return value

    def gather_object(self, value: Any) -> list[Any] | None:
        return [value]

    def barrier(self) -> None:
        return None

    def first_to_say(self, text: str) -> bool:
        return True

    def apart(self) -> OneProcess:
        return self

    def close(self) -> None:
        return None


class ProcessGroup:
    """The processes that a launcher started, connected by `torch.distributed` (gloo on CPUs, NCCL on GPUs)."""

    agreement_interval = 10

    def __init__(self, environment: Mapping[str, str], timeout: timedelta = timedelta(minutes=10)) -> None:
        import torch
        import torch.distributed as dist
        from torch.distributed.rendezvous import rendezvous

        self.rank = int(environment["RANK"])
        self.world_size = int(environment["WORLD_SIZE"])
        self.local_rank = int(environment.get("LOCAL_RANK", self.rank))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        self._store, *_ = next(rendezvous("env://", self.rank, self.world_size, timeout=timeout))
        dist.init_process_group(backend, store=self._store, rank=self.rank, world_size=self.world_size, timeout=timeout)
        self._dist = dist
        self._torch = torch
        self._group: Any = None

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        self._dist.all_reduce(total, group=self._group)
        return total

    def any(self, flag: bool) -> bool:
        votes = self._torch.tensor([1.0 if flag else 0.0])
        self._dist.all_reduce(votes, op=self._dist.ReduceOp.MAX, group=self._group)
        return bool(votes.item() > 0)

    def broadcast_object(self, value: Any) -> Any:
        box = [value]
        self._dist.broadcast_object_list(box, src=0, group=self._group)
        return box[0]

    def gather_object(self, value: Any) -> list[Any] | None:
        box: list[Any] | None = [None] * self.world_size if self.rank == 0 else None
        self._dist.gather_object(value, box, dst=0, group=self._group)
        return box

    def barrier(self) -> None:
        self._dist.barrier(group=self._group)

    def first_to_say(self, text: str) -> bool:
        try:
            return bool(self._store.add(f"said/{text}", 1) == 1)
        except self._dist.DistError:
            return True  # the process that keeps the account is gone

    def apart(self) -> ProcessGroup:
        other = copy(self)
        other._group = self._dist.new_group(backend="gloo")
        return other

    def close(self) -> None:
        self._dist.destroy_process_group()


def connect(environment: Mapping[str, str] | None = None) -> Collectives:
    """Join the process group that the environment describes (as torchrun sets it), or stand alone."""
    environment = os.environ if environment is None else environment
    if int(environment.get("WORLD_SIZE", "1")) > 1:
        return ProcessGroup(environment)
    return OneProcess()
