from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from offline_trainer_core.errors import DataError
from ot_builtins.data.dataset import DatasetData


class Augmented:
    """Samples that are changed at random by each of the generators that datasets use."""

    def __init__(self, length: int = 50) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        noise = random.random() + np.random.rand() + torch.rand(3)
        return {"index": torch.tensor(index), "x": index + noise}


def epoch(module: Any, number: int = 0, start: int = 0) -> list[Any]:
    loader = module.train_dataloader()
    loader.set_epoch(number, start)
    return list(loader)


def test_samples_and_their_randomness_are_the_same_with_any_number_of_workers(
    placed: Any, assert_same_batches: Any
) -> None:
    alone = placed(DatasetData(Augmented(), 8), seed=3)
    helped = placed(DatasetData(Augmented(), 8, num_workers=2), seed=3)
    loader = helped.train_dataloader()
    for number in (0, 1, 0):
        loader.set_epoch(number)
        assert_same_batches(loader, epoch(alone, number))
    unseeded = placed(DatasetData(Augmented(), 8, seed_samples=False), seed=3)
    with pytest.raises(AssertionError):
        assert_same_batches(epoch(unseeded), epoch(alone))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_restart_at_batch_k_gives_the_batches_from_k_on(
    num_workers: int, placed: Any, assert_same_batches: Any
) -> None:
    module = placed(DatasetData(Augmented(), 8, num_workers=num_workers))
    uninterrupted = epoch(module, 2)
    for k in (1, 5):
        assert_same_batches(epoch(module, 2, start=k), uninterrupted[k:])
    assert len(module.train_dataloader()) == 6


def test_the_batches_of_two_processes_join_to_those_of_one(placed: Any, assert_same_batches: Any) -> None:
    shares = zip(*(epoch(placed(DatasetData(Augmented(), 8), rank=r, world_size=2)) for r in range(2)), strict=True)
    joined = [{name: torch.cat([share[name] for share in step]) for name in step[0]} for step in shares]
    assert_same_batches(joined, epoch(placed(DatasetData(Augmented(), 8))))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_reading_leaves_the_random_numbers_of_the_run_alone(num_workers: int, placed: Any) -> None:
    def drawn() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    def seeded() -> None:
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)

    seeded()
    expected = drawn()
    seeded()
    epoch(placed(DatasetData(Augmented(), 8, num_workers=num_workers)))
    assert drawn() == expected


def test_validation_reads_every_sample_in_order(placed: Any) -> None:
    module = placed(DatasetData(Augmented(), 8, validation_dataset=Augmented(19)))
    assert torch.cat([batch["index"] for batch in module.val_dataloader()]).tolist() == list(range(19))
    assert placed(DatasetData(Augmented(), 8)).val_dataloader() is None


def test_a_dataset_that_reads_batches_reads_them_whole(placed: Any) -> None:
    class InBatches(Augmented):
        def __getitems__(self, indices: list[int]) -> list[int]:
            return [1000 + index for index in indices]

    module = placed(DatasetData(InBatches(10), 5, seed_samples=False, shuffle=False))
    assert [batch.tolist() for batch in epoch(module)] == [[*range(1000, 1005)], [*range(1005, 1010)]]


def test_statistics_are_those_of_the_dataset(placed: Any) -> None:
    dataset = Augmented()
    assert placed(DatasetData(dataset, 8)).stats == {}
    dataset.stats = {"x": {"mean": torch.zeros(3)}}  # type: ignore[attr-defined]
    assert set(placed(DatasetData(dataset, 8)).stats) == {"x"}


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Augmented(0), "dataset .Augmented. is empty"),
        (iter([1]), "is a list_iterator, which has no length"),
        (Augmented(3), "3 rows to train on do not fill one batch of 8"),
    ],
)
def test_a_dataset_that_cannot_be_batched_is_refused(dataset: Any, message: str, placed: Any) -> None:
    with pytest.raises(DataError, match=message):
        placed(DatasetData(dataset, 8)).train_dataloader()
