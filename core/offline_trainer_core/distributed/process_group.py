"""The processes that a launcher started, and what the last of them say about the others."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from copy import copy
from datetime import timedelta
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from offline_trainer_core.distributed.collectives import Collectives, OneProcess
from offline_trainer_core.errors import DeviceError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LISTENING", "ProcessGroup", "connect"]

TIMEOUT = timedelta(minutes=10)
SECONDS_FOR_LAST_WORDS = 3.0
LISTENING = "OT_LISTENING"
"""The environment variable in which a launcher tells process 0 the open socket at MASTER_PORT to listen at."""


class ProcessGroup:
    """The processes that a launcher started, connected by `torch.distributed` (gloo on CPUs, NCCL on GPUs)."""

    agreement_interval = 10

    def __init__(self, environment: Mapping[str, str], timeout: timedelta = TIMEOUT) -> None:
        import torch
        import torch.distributed as dist

        self.rank = int(environment["RANK"])
        self.world_size = int(environment["WORLD_SIZE"])
        self.local_rank = int(environment.get("LOCAL_RANK", self.rank))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        self._timeout = timeout
        self._store = _store(environment, self.rank, self.world_size, timeout)
        dist.init_process_group(backend, store=self._store, rank=self.rank, world_size=self.world_size, timeout=timeout)
        self._dist = dist
        self._torch = torch
        self._group: Any = None
        self._left_word = False

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        self._dist.all_reduce(total, group=self._group)
        return total

    def any(self, flag: bool) -> bool:
        return self.largest([flag])[0] > 0

    def largest(self, values: Sequence[float]) -> list[float]:
        votes = self._torch.tensor(values, dtype=self._torch.float64)
        self._dist.all_reduce(votes, op=self._dist.ReduceOp.MAX, group=self._group)
        return votes.tolist()

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

    def leave_word(self, text: str) -> None:
        self._left_word = True
        with suppress(self._dist.DistError):
            self._store.set(f"word/{self.rank}", text)

    def lost(self, error: BaseException) -> str | None:
        # gloo has no exception of its own.
        if not isinstance(error, self._dist.DistError) and "gloo" not in str(error):
            return None
        self.leave_word("")
        others = [rank for rank in range(self.world_size) if rank != self.rank]
        try:
            words = self._words(others)
        except self._dist.DistError:
            return "process 0 is gone, and the others with it"  # it keeps the account
        said = [f"process {rank} failed: {text}" for rank, text in words.items() if text]
        hung = "timed out" in str(error).lower()
        how = f"did not answer for {self._timeout} (run.process_timeout)" if hung else "is gone"
        silent = [f"process {rank} {how}" for rank in others if rank not in words]
        return "; ".join([*said, *silent]) or "the connection to another process broke"

    def _words(self, others: Sequence[int]) -> dict[int, str]:
        """Return what each of `others` left as its last word; it is empty where a process lost another one, too."""
        words: dict[int, str] = {}
        end = monotonic() + SECONDS_FOR_LAST_WORDS
        while len(words) < len(others) and monotonic() < end:
            for rank in others:
                if rank not in words and self._store.check([f"word/{rank}"]):
                    words[rank] = self._store.get(f"word/{rank}").decode()
            sleep(0.05)
        return words

    def apart(self) -> ProcessGroup:
        other = copy(self)
        other._group = self._dist.new_group(backend="gloo")
        return other

    def close(self) -> None:
        self._dist.destroy_process_group()
        if self._left_word and self.rank == 0:  # it keeps the account that the others look into before they leave
            with suppress(self._dist.DistError):  # or a launcher does, which may be gone
                self._words(range(1, self.world_size))


def _store(environment: Mapping[str, str], rank: int, world_size: int, timeout: timedelta) -> Any:
    """Return where processes leave notes for each other: that of the launcher, or one that process 0 keeps."""
    import torch.distributed as dist
    from torch.distributed.rendezvous import rendezvous

    if LISTENING in environment and rank == 0:
        host, port, socket = environment["MASTER_ADDR"], int(environment["MASTER_PORT"]), int(environment[LISTENING])
        return dist.TCPStore(  # type: ignore[attr-defined]
            host, port, world_size, is_master=True, timeout=timeout, master_listen_fd=socket
        )
    store = next(rendezvous("env://", rank, world_size, timeout=timeout))[0]
    if environment.get("GROUP_WORLD_SIZE") != "1":
        return store  # the agents of several machines count restarts each for itself
    attempt = environment.get("TORCHELASTIC_RESTART_COUNT", "0")
    # The agent keeps the store, with the addresses that dead processes left.
    return dist.PrefixStore(f"attempt {attempt}", store)  # type: ignore[attr-defined]


def connect(environment: Mapping[str, str] | None = None, timeout: timedelta = TIMEOUT) -> Collectives:
    """Join the process group that the environment describes (as torchrun sets it), or stand alone.

    Raises `DeviceError` where not all come within `timeout`, which is also how long they wait for each other later on.
    """
    environment = os.environ if environment is None else environment
    if int(environment.get("WORLD_SIZE", "1")) == 1:
        return OneProcess()
    from torch.distributed import DistError

    try:
        return ProcessGroup(environment, timeout)
    except (DistError, RuntimeError) as error:
        world = environment["WORLD_SIZE"]
        raise DeviceError(f"the {world} processes of this run could not find each other: {error}") from error
