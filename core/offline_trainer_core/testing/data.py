"""The contract of `data.*`."""

from __future__ import annotations

from itertools import islice
from typing import Any, ClassVar

import pytest
import torch

from offline_trainer_core.errors import DataError
from offline_trainer_core.nest import leaves, select
from offline_trainer_core.testing.contract import Contract, same

__all__ = ["DataModuleContract"]


class DataModuleContract(Contract):
    """Batches are tensors, their order is a function of (seed, epoch), and processes share every global batch."""

    batches: ClassVar[int] = 4
    """How many batches of an epoch are looked at."""

    def ready(self, seed: int = 0, rank: int = 0, world_size: int = 1) -> Any:
        """Return a data module that is placed and set up."""
        module = self.make()
        if hasattr(module, "place"):
            module.place(seed=seed, rank=rank, world_size=world_size, device=torch.device("cpu"))
        elif world_size > 1:
            pytest.fail("it has no place(*, seed, rank, world_size, device), so it serves one process only")
        module.setup("fit")
        return module

    def first_batches(self, module: Any, epoch: int = 0, start: int = 0, count: int | None = None) -> list[Any]:
        """Return the first batches of an epoch from batch `start` on."""
        loader = module.train_dataloader()
        if hasattr(loader, "set_epoch"):
            loader.set_epoch(epoch, start)
        elif epoch or start:
            pytest.fail("its loader has no set_epoch(epoch, start), so a resumed run reads again through whole epochs")
        return list(islice(loader, self.batches if count is None else count))

    def test_batches_have_tensors_with_one_batch_dimension(self) -> None:
        for batch in self.first_batches(self.ready()):
            sizes = {leaf.shape[:1] for _, leaf in leaves(batch) if isinstance(leaf, torch.Tensor)}
            assert sizes, "a batch has no tensor"
            assert len(sizes) == 1, f"the tensors of one batch have first dimensions {sorted(sizes)}"

    def test_a_length_is_the_number_of_batches(self) -> None:
        loader = self.ready().train_dataloader()
        if not hasattr(loader, "__len__"):
            pytest.skip("its loader has no length")
        assert len(list(loader)) == len(loader)

    def test_the_order_is_a_function_of_seed_and_epoch(self) -> None:
        first = self.first_batches(self.ready(seed=1), epoch=3)
        torch.manual_seed(1)
        assert same(first, self.first_batches(self.ready(seed=1), epoch=3))

    def test_every_epoch_has_its_own_order(self) -> None:
        module = self.ready()
        assert not same(self.first_batches(module, epoch=0), self.first_batches(module, epoch=1))

    def test_an_epoch_can_begin_at_any_batch(self) -> None:
        whole = self.first_batches(self.ready(), epoch=1)
        for start in range(1, len(whole)):
            rest = self.first_batches(self.ready(), epoch=1, start=start, count=len(whole) - start)
            assert same(whole[start:], rest), f"beginning at batch {start} gives other batches"

    def test_every_row_of_a_batch_can_be_named(self) -> None:
        module = self.ready()
        loader = module.train_dataloader()
        if not hasattr(loader, "samples"):
            pytest.skip("its loader has no samples(epoch, batch), so reports of bad batches cannot say what they hold")
        for number, batch in enumerate(self.first_batches(module, epoch=1)):
            rows = next(len(leaf) for _, leaf in leaves(batch) if isinstance(leaf, torch.Tensor))
            assert len(loader.samples(1, number)) == rows, f"batch {number} has {rows} rows"

    def test_processes_share_every_global_batch(self) -> None:
        whole = self.first_batches(self.ready())
        shares = [self.first_batches(self.ready(rank=rank, world_size=2)) for rank in (0, 1)]
        for batch, *parts in zip(whole, *shares, strict=True):
            both = _joined(parts)
            assert same([leaf for _, leaf in leaves(batch)], both), "two processes' shares are not one process's batch"

    def test_validation_is_the_same_every_time(self) -> None:
        module = self.ready()
        if module.val_dataloader() is None:
            pytest.skip("it has no validation data")
        first = list(islice(module.val_dataloader(), self.batches))
        torch.manual_seed(1)
        assert same(first, list(islice(module.val_dataloader(), self.batches)))

    def test_processes_validate_every_sample_once(self) -> None:
        if self.ready().val_dataloader() is None:
            pytest.skip("it has no validation data")
        counts = [_samples(self.ready(rank=rank, world_size=2).val_dataloader()) for rank in (0, 1)]
        assert sum(counts) == _samples(self.ready().val_dataloader()), f"two processes validate {counts} samples"

    def test_statistics_fit_their_fields(self) -> None:
        module = self.ready()
        (batch,) = self.first_batches(module, count=1)
        for field, statistics in (getattr(module, "stats", None) or {}).items():
            value = _field(batch, field)
            missing = {"mean", "std", "min", "max"} - set(statistics)
            assert not missing, f"{field} lacks {', '.join(sorted(missing))}"
            low, high = statistics["min"], statistics["max"]
            shape = tuple(value.shape)
            assert shape[value.ndim - low.ndim :] == tuple(low.shape), f"{field}: {tuple(low.shape)} for {shape}"
            within = bool(((low <= statistics["mean"]) & (statistics["mean"] <= high)).all())
            assert within, f"{field}: the mean does not lie between min and max"
            assert bool(((low <= value) & (value <= high)).all()), f"{field}: a batch exceeds min or max"


def _field(batch: Any, field: str) -> torch.Tensor:
    try:
        value: torch.Tensor = select(batch, field)
    except (KeyError, DataError) as error:
        raise AssertionError(f"there are statistics for '{field}', which a batch does not have: {error}") from None
    return value


def _joined(parts: list[Any]) -> list[Any]:
    rows = [[leaf for _, leaf in leaves(part)] for part in parts]
    return [torch.cat(pieces) for pieces in zip(*rows, strict=True)]


def _samples(loader: Any) -> int:
    return sum(next(leaf.shape[0] for _, leaf in leaves(batch) if isinstance(leaf, torch.Tensor)) for batch in loader)
