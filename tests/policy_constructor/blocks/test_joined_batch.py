"""Blocks that count over all processes: two of gloo beside one with the joined batch."""

import socket
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from ot_policy_constructor.blocks.mixture_of_experts import MixtureOfExperts
from ot_policy_constructor.blocks.vq_codebook import VQCodebook

STEPS = 30


def batch(step, rows=24):
    return torch.randn(rows, 3, generator=torch.Generator().manual_seed(step))


def codebook():
    torch.manual_seed(0)
    return VQCodebook(dim=3, codes=32, decay=0.8)


def gradients(x):
    """Return the gradients of both losses of a mixture, of which the one of balance is not a mean over samples."""
    torch.manual_seed(0)
    mixture = MixtureOfExperts([3, 3], experts=4, top_k=1)
    losses = mixture(x)
    (losses["load_balancing_loss"] + losses["router_z_loss"]).backward()
    return mixture.router.weight.grad


def work(rank, world_size, port, path):
    """Save what this process's part of every batch makes: the first process has more rows in the codebook's."""
    store = dist.TCPStore("127.0.0.1", port, world_size, rank == 0, timedelta(seconds=60))
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size)
    plain, compiled = codebook(), codebook()
    call = torch.compile(compiled, fullgraph=True, backend="eager")
    results = {"outputs": [], "compiled": [], "gradients": gradients(batch(0).split(12)[rank])}
    for step in range(STEPS):
        part = batch(step).split([15, 9])[rank]
        results["outputs"].append(plain(part))
        results["compiled"].append(call(part))
    results["state"] = plain.state_dict()
    torch.save(results, f"{path}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(work, args=(2, port, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.slow
def test_two_processes_keep_the_codebook_of_one_with_the_joined_batch(results):
    alone, apart = codebook(), codebook()
    for step in range(STEPS):
        expected = alone(batch(step))
        apart(batch(step).split([15, 9])[0])
        parts = [result["outputs"][step] for result in results]
        for name in ("quantized", "indices"):
            torch.testing.assert_close(torch.cat([part[name] for part in parts]), expected[name])
        for part in parts:
            torch.testing.assert_close(part["perplexity"], expected["perplexity"])
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(results[0]["state"][name], value)
        assert torch.equal(results[0]["state"][name], results[1]["state"][name])
    assert not torch.allclose(apart.codes, alone.codes, atol=0.1)


@pytest.mark.slow
def test_compiled_they_do_the_same(results):
    for result in results:
        torch.testing.assert_close(result["compiled"], result["outputs"])


@pytest.mark.slow
def test_their_experts_are_balanced_over_the_joined_batch(results):
    average = (results[0]["gradients"] + results[1]["gradients"]) / 2
    torch.testing.assert_close(average, gradients(batch(0)))
    apart = [gradients(part) for part in batch(0).split(12)]
    assert not torch.allclose((apart[0] + apart[1]) / 2, average, atol=1e-4)
