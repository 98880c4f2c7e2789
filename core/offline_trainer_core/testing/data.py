"""The contract of `data.*`."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
import torch

from offline_trainer_core.nest import leaves
from offline_trainer_core.testing.contract import Contract, same

__all__ = ["DataModuleContract"]


class DataModuleContract(Contract):
    """Batches are tensors, their order is a function of (seed, epoch), and processes share every global batch."""

    batches = 4
    """How many batches of an epoch are looked at."""

    def ready(self, seed: int = 0, rank: int = 0, world_size: int = 1) -> Any:
        """Return a data module that is placed and set up."""
        module = self.make()
        if hasattr(module, "place"):
            module.place(seed=seed, rank=rank, world_size=world_size, device=torch.device("cpu"))
        module.setup("fit")
        return module

    def first_batches(self, module: Any, epoch: int = 0, start: int = 0, count: int | None = None) -> list[Any]:
        """Return the first batches of an epoch from batch `start` on."""
        loader = module.train_dataloader()
        loader.set_epoch(epoch, start)
        return list(islice(loader, self.batches if count is None else count))

    def test_batches_have_tensors_with_one_batch_dimension(self) -> None:
        for batch in self.first_batches(self.ready()):
            sizes = {leaf.shape[0] for _, leaf in leaves(batch) if isinstance(leaf, torch.Tensor)}
            assert len(sizes) == 1, f"leaves of one batch have first dimensions {sorted(sizes)}"

    def test_the_order_is_a_function_of_seed_and_epoch(self) -> None:
        first = self.first_batches(self.ready(seed=1), epoch=3)
        assert same(first, self.first_batches(self.ready(seed=1), epoch=3))
        assert not same(first, self.first_batches(self.ready(seed=1), epoch=4))

    def test_an_epoch_can_begin_at_any_batch(self) -> None:
        whole = self.first_batches(self.ready(), epoch=1)
        for start in range(1, len(whole)):
            assert same(whole[start:], self.first_batches(self.ready(), epoch=1, start=start, count=len(whole) - start))

    @pytest.mark.parametrize("world_size", [2])
    def test_processes_share_every_global_batch(self, world_size: int) -> None:
        whole = self.first_batches(self.ready())
        shares = [self.first_batches(self.ready(rank=rank, world_size=world_size)) for rank in range(world_size)]
        for batch, *parts in zip(whole, *shares, strict=True):
            for (_, leaf), *pieces in zip(leaves(batch), *(leaves(part) for part in parts), strict=True):
                assert torch.equal(leaf, torch.cat([piece for _, piece in pieces]))

    def test_validation_is_the_same_every_time(self) -> None:
        module = self.ready()
        loader = module.val_dataloader()
        if loader is not None:
            assert same(list(islice(loader, self.batches)), list(islice(module.val_dataloader(), self.batches)))
