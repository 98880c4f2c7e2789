"""How models live on processes: one, and two of gloo."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ot_builtins.strategies import Ddp, Single


@pytest.mark.parametrize("strategy", [Single(), Ddp(), Ddp(find_unused_parameters=True)])
def test_on_one_process_a_model_is_its_own_replica(strategy):
    model = nn.Linear(2, 1)
    assert strategy.wrap(model, torch.device("cpu")) is model
    with strategy.accumulate([model]):
        model(torch.ones(1, 2)).sum().backward()
    assert model.weight.grad is not None


def train(rank, world_size, port, path):
    """Accumulate two batches, the second one synchronised, and save the gradients of rank 0."""
    store = dist.TCPStore("127.0.0.1", port, world_size, rank == 0, timedelta(seconds=60))
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size)
    torch.manual_seed(rank)
    strategy, model = Ddp(), nn.Linear(3, 1)
    replica = strategy.wrap(model, torch.device("cpu"))
    start = [p.detach().clone() for p in model.parameters()]
    with strategy.accumulate([replica]):
        replica(batch(rank, 0)).mean().backward()
    apart = model.weight.grad.clone()
    replica(batch(rank, 1)).mean().backward()
    if rank == 0:
        torch.save({"start": start, "apart": apart, "together": model.weight.grad}, path)
    dist.destroy_process_group()


def batch(rank, index):
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(10 * rank + index))


@pytest.mark.slow
def test_two_processes_start_alike_and_average_gradients_when_they_synchronise(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(train, args=(2, port, str(tmp_path / "result.pt")), nprocs=2)
    result = torch.load(tmp_path / "result.pt", weights_only=True)
    torch.manual_seed(0)
    assert torch.equal(result["start"][0], nn.Linear(3, 1).weight)
    torch.testing.assert_close(result["apart"], batch(0, 0).mean(0, keepdim=True))
    sums = [batch(rank, 0).mean(0) + batch(rank, 1).mean(0) for rank in (0, 1)]
    torch.testing.assert_close(result["together"], torch.stack(sums).mean(0, keepdim=True))
    assert not torch.allclose(result["together"], sums[0][None])


def test_options_reach_ddp(monkeypatch):
    given = {}
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(DistributedDataParallel, "__init__", lambda self, model, **options: given.update(options))
    Ddp(find_unused_parameters=True, bucket_cap_mb=1).wrap(nn.Linear(1, 1), torch.device("cpu"))
    assert (given["find_unused_parameters"], given["bucket_cap_mb"], given["device_ids"]) == (True, 1, None)
