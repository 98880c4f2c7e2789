"""The way of a batch from the loader to the update."""

from __future__ import annotations

import pytest
import torch

from offline_trainer_core import DataError
from offline_trainer_core.engine import LoopSettings, Session
from offline_trainer_core.engine.batches import batch_size_of, epoch_batches, length_of, mover
from offline_trainer_core.engine.prepare import count_steps


class Numbers:
    """A loader that knows its length."""

    def __len__(self):
        return 4

    def __iter__(self):
        return iter([0, 1, 2, 3])


class Placed(Numbers):
    def set_epoch(self, epoch, start=0):
        self.first = 10 * epoch + start

    def __iter__(self):
        return iter(range(self.first, self.first - self.first % 10 + 4))


class Stream:
    """A loader that does not know its length."""

    def __iter__(self):
        return iter([0, 1, 2, 3])


@pytest.mark.parametrize("loader", [Numbers(), Stream()])
def test_the_last_batch_is_marked_and_a_start_is_read_up_to(loader):
    assert list(epoch_batches(loader, epoch=2)) == [(0, False), (1, False), (2, False), (3, True)]
    assert list(epoch_batches(loader, epoch=2, start=2)) == [(2, False), (3, True)]


def test_a_loader_with_set_epoch_begins_where_it_is_told():
    assert list(epoch_batches(Placed(), epoch=2, start=1)) == [(21, False), (22, False), (23, True)]


def test_an_empty_stream_has_no_last_batch():
    assert list(epoch_batches(iter([]), epoch=0)) == []


def test_lengths_are_known_or_not():
    assert length_of(Numbers()) == 4
    assert length_of(Stream()) is None
    assert length_of(torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.zeros(5)), batch_size=2)) == 3


def test_an_iterable_dataset_without_a_length_is_a_stream():
    class Endless(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(torch.arange(6.0))

    loader = torch.utils.data.DataLoader(Endless(), batch_size=4)
    assert length_of(loader) is None
    assert [(batch.tolist(), last) for batch, last in epoch_batches(loader, 0)] == [
        ([0.0, 1.0, 2.0, 3.0], False),
        ([4.0, 5.0], True),
    ]


@pytest.mark.parametrize(
    ("loader", "settings", "expected"),
    [
        (Numbers(), {"max_epochs": 3}, (4, 12)),
        (Numbers(), {"max_epochs": 3, "max_steps": 5}, (4, 5)),
        (Numbers(), {"max_epochs": 3, "grad_accum_steps": 3}, (2, 6)),
        (Numbers(), {"max_epochs": 3, "optim_steps_per_batch": 2}, (8, 24)),
        (Numbers(), {"max_steps": 100}, (4, 100)),
        (Stream(), {"max_epochs": 3}, (None, None)),
        (Stream(), {"max_steps": 7}, (None, 7)),
    ],
)
def test_steps_are_counted_beforehand_where_they_can_be(loader, settings, expected):
    assert count_steps(loader, LoopSettings(**settings)) == expected


def test_every_tensor_of_a_nest_is_moved_and_nothing_else():
    batch = {"x": [torch.zeros(2), "name"], "n": 3}
    moved = mover(torch.device("meta"), Numbers())(batch)
    assert moved["x"][0].device.type == "meta"
    assert (moved["x"][1], moved["n"]) == ("name", 3)
    assert batch["x"][0].device.type == "cpu"


def test_batches_that_are_already_there_are_not_touched():
    loader = Numbers()
    loader.device = torch.device("meta")
    batch = {"x": torch.zeros(2)}
    assert mover(torch.device("meta"), loader)(batch) is batch
    assert mover(torch.device("cpu"), Numbers())(batch) is batch


def test_the_batch_size_is_the_first_dimension_of_the_first_tensor():
    assert batch_size_of({"step": torch.tensor(3), "x": [torch.zeros(5, 2)], "y": torch.zeros(5)}) == 5
    with pytest.raises(DataError, match="no tensor with a batch dimension"):
        batch_size_of({"step": torch.tensor(3)})


@pytest.mark.parametrize("empty", [[], iter([])], ids=["length of 0", "nothing to read"])
def test_training_data_without_a_batch_is_refused(make_parts, small, empty):
    data = small.Data()
    data.train = empty
    parts = make_parts(datamodule=data)
    with pytest.raises(DataError, match=r"training data (has no batch|is empty)"):
        list(Session(parts, LoopSettings(max_steps=1)).batches())
