"""Saving and loading 100 million parameters with their AdamW state, beside what others use, interleaved.

`python benchmarks/checkpoints.py [ROUNDS]` prints, for the same tensors (1.2 GB): how long the training is blocked, how
long until the checkpoint lies on the disk, and how long loading takes. Ours digests what it writes, waits for the disk
before it publishes, and verifies what it reads; the others do what they do when they are called as documented. One
round calls everyone once; the first round, in which everyone allocates, is reported apart.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn

from offline_trainer_core.record import CheckpointStore

Seconds = dict[str, float]
"""How long the training is blocked, and until the checkpoint lies on the disk."""
SAVING = ("ours, asynchronous", "ours", "torch.save", "safetensors", "DCP", "DCP, asynchronous")
LOADING = ("ours", "torch.load", "safetensors", "DCP")


def trained_state() -> dict[str, dict[str, Any]]:
    """Return the state of a model of 100 million parameters after one step of AdamW."""
    blocks = (nn.Sequential(nn.Linear(1024, 4096), nn.GELU(), nn.Linear(4096, 1024)) for _ in range(10))
    model = nn.Sequential(nn.Embedding(16_384, 1024), *blocks)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 1e-3)
    optimizer.step()
    optimizer.zero_grad()
    return {"models.policy": model.state_dict(), "optimizers.policy": optimizer.state_dict()}


def flat(state: dict[str, dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Return the tensors alone: all that a safetensors file can hold."""
    moments = state["optimizers.policy"]["state"]
    named = {f"{index}.{name}": value for index, values in moments.items() for name, value in values.items()}
    return {**state["models.policy"], **named}


class Contenders:
    """Everyone saves the same state below one folder, and loads it from there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = trained_state()
        self.tensors = flat(self.state)
        self.stores = {name: CheckpointStore(folder / name) for name in ("ours", "ours, asynchronous")}

    def save(self, who: str) -> Seconds:
        os.sync()
        begin = time.perf_counter()
        finish = self._savers()[who]()
        blocked = time.perf_counter() - begin
        finish()
        return {"blocked": blocked, "total": time.perf_counter() - begin}

    def load(self, who: str) -> float:
        """Load into fresh memory, as a process does that starts."""
        ctypes.CDLL(None).malloc_trim(0)
        begin = time.perf_counter()
        {
            "ours": lambda: self.stores["ours"].load("last"),
            "torch.load": lambda: torch.load(self.folder / "torch.pt", weights_only=True),
            "safetensors": self._touch_safetensors,
            "DCP": lambda: dcp.load(self.state, checkpoint_id=self.folder / "dcp"),
        }[who]()
        return time.perf_counter() - begin

    def _savers(self) -> dict[str, Callable[[], Callable[[], Any]]]:
        return {
            "ours, asynchronous": lambda: self._ours("ours, asynchronous", asynchronous=True),
            "ours": lambda: self._ours("ours", asynchronous=False),
            "torch.save": self._torch,
            "safetensors": self._safetensors,
            "DCP": self._dcp,
            "DCP, asynchronous": self._dcp_asynchronous,
        }

    def _ours(self, who: str, *, asynchronous: bool) -> Callable[[], Any]:
        store = self.stores[who]
        store.save("step_1", self.state, counters={}, asynchronous=asynchronous)
        return store.wait

    def _torch(self) -> Callable[[], Any]:
        torch.save(self.state, self.folder / "torch.pt")
        return lambda: on_disk(self.folder / "torch.pt")

    def _safetensors(self) -> Callable[[], Any]:
        safetensors.torch.save_file(self.tensors, self.folder / "all.safetensors")
        return lambda: on_disk(self.folder / "all.safetensors")

    def _dcp(self) -> Callable[[], Any]:
        dcp.save(self.state, checkpoint_id=self.folder / "dcp")
        return lambda: None

    def _dcp_asynchronous(self) -> Callable[[], Any]:
        return dcp.async_save(self.state, checkpoint_id=self.folder / "dcp-async").result

    def _touch_safetensors(self) -> None:
        """Load, and read every page once: the file is only mapped into memory."""
        for tensor in safetensors.torch.load_file(self.folder / "all.safetensors").values():
            tensor.view(-1)[:: 4096 // tensor.element_size()].sum()


def turned(contenders: tuple[str, ...], turn: int) -> tuple[str, ...]:
    """Return who comes when: another one begins each round, since one leaves the next memory and work for the disk."""
    first = turn % len(contenders)
    return contenders[first:] + contenders[:first]


def on_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def report(title: str, seconds: dict[str, list[float]], reference: str) -> None:
    """Print the first and the median of all later rounds, and how many times as long as `reference` each one takes."""
    print(f"\n{title:32}     first    steady   times {reference}")
    for who, values in seconds.items():
        ratios = [value / other for value, other in zip(values[1:], seconds[reference][1:], strict=True)]
        print(f"  {who:30} {values[0]:8.3f} s {statistics.median(values[1:]):8.3f} s {statistics.median(ratios):8.2f}")


def main(rounds: int) -> None:
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix="checkpoints-", dir="."))
    dist.init_process_group("gloo", store=dist.FileStore(str(folder / "store"), 1), rank=0, world_size=1)
    try:
        contenders = Contenders(folder)
        size = sum(tensor.nbytes for tensor in contenders.tensors.values())
        print(
            f"{size / 1e9:.2f} GB in {len(contenders.tensors)} tensors, {rounds} rounds, load {os.getloadavg()[0]:.1f}"
        )
        saved = [{who: contenders.save(who) for who in turned(SAVING, turn)} for turn in range(rounds)]
        loaded = [{who: contenders.load(who) for who in turned(LOADING, turn)} for turn in range(rounds)]
        for what in ("blocked", "total"):
            report(f"saving: {what}", {who: [row[who][what] for row in saved] for who in SAVING}, "torch.save")
        report("loading", {who: [row[who] for row in loaded] for who in LOADING}, "torch.load")
    finally:
        dist.destroy_process_group()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6)
