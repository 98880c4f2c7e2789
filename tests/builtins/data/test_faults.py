"""A sample that cannot be read is named, in the process that trains and in a worker alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_trainer_core.errors import DataError, DeviceError
from ot_builtins.data.dataset import DatasetData


class Scans:
    """Samples of one field; `of` makes sample number i."""

    def __init__(self, of: Callable[[int], Any], length: int = 12) -> None:
        self.of, self.length = of, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        return self.of(index)


def broken_file(index: int) -> dict[str, torch.Tensor]:
    if index == 7:
        raise ValueError("bad magic number")
    return sound(index)


def out_of_memory(index: int) -> dict[str, torch.Tensor]:
    raise MemoryError


def sound(index: int) -> dict[str, torch.Tensor]:
    return {"x": torch.full((3,), float(index))}


def longer(index: int) -> dict[str, torch.Tensor]:
    return {"x": torch.zeros(4 if index == 7 else 3)}


def lacking(index: int) -> dict[str, torch.Tensor]:
    return {"x": torch.zeros(3)} if index == 7 else {"x": torch.zeros(3), "y": torch.zeros(2)}


def other_type(index: int) -> dict[str, Any]:
    return {"x": "scan" if index == 7 else torch.zeros(3)}


def read(placed: Any, of: Callable[[int], Any], **options: Any) -> list[Any]:
    module = placed(DatasetData(Scans(of), 4, shuffle=False, **options))
    return list(module.train_dataloader())


FAULTS = {
    "raises": (broken_file, DataError, r"read sample 7 of data\.dataset \(Scans\), at .*\.py:\d+: ValueError: bad"),
    "other shape": (longer, DataError, r"'x' is \(3,\) float32 in sample 4 and \(4,\) float32 in sample 7"),
    "field missing": (lacking, DataError, r"'y' is \(2,\) float32 in sample 4 and missing in sample 7"),
    "other type": (other_type, DataError, r"'x' is \(3,\) float32 in sample 4 and str in sample 7"),
    "no memory": (out_of_memory, DeviceError, r"out of memory while reading sample 0 .*lower data\.num_workers"),
}  # fmt: skip


LONG = partial(pytest.param, marks=pytest.mark.torture)
"""After an error torch takes five seconds to end a worker."""


@pytest.mark.parametrize("seed_samples", [True, False])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_sample_is_named(fault: str, seed_samples: bool, placed: Any) -> None:
    of, kind, message = FAULTS[fault]
    with pytest.raises(kind, match=message) as raised:
        read(placed, of, seed_samples=seed_samples)
    assert "Traceback" not in str(raised.value)


@pytest.mark.parametrize("seed_samples", [True, LONG(False)])
@pytest.mark.parametrize("fault", ["raises", "other shape", *map(LONG, ("field missing", "other type", "no memory"))])
def test_a_bad_sample_of_a_worker_is_named(fault: str, seed_samples: bool, placed: Any) -> None:
    of, kind, message = FAULTS[fault]
    with pytest.raises(kind, match=message) as raised:
        read(placed, of, num_workers=1, seed_samples=seed_samples)
    assert "Traceback" not in str(raised.value)


def test_batches_before_a_bad_sample_are_read(placed: Any) -> None:
    batches = iter(placed(DatasetData(Scans(broken_file), 4, shuffle=False)).train_dataloader())
    assert next(batches)["x"][:, 0].tolist() == [0, 1, 2, 3]
    with pytest.raises(DataError, match="sample 7"):
        next(batches)


def test_sound_samples_are_read(placed: Any) -> None:
    assert torch.cat([batch["x"] for batch in read(placed, sound, num_workers=1)])[:, 0].tolist() == [*range(12)]


def test_a_batch_that_a_dataset_reads_whole_names_all_its_samples(placed: Any) -> None:
    class InBatches(Scans):
        def __getitems__(self, indices: list[int]) -> list[Any]:
            raise OSError("the shard is gone")

    loader = placed(DatasetData(InBatches(sound), 4, shuffle=False, seed_samples=False)).train_dataloader()
    with pytest.raises(DataError, match=r"cannot read samples 0, 1, 2, 3 of .*OSError: the shard is gone"):
        next(iter(loader))


def test_a_collate_function_that_fails_is_quoted(placed: Any) -> None:
    def collate(samples: list[Any]) -> Any:
        raise KeyError("depth")

    with pytest.raises(DataError, match="cannot be joined to a batch: KeyError: 'depth'"):
        read(placed, sound, collate_fn=collate)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_loader_says_which_samples_its_batches_have(rank: int, placed: Any) -> None:
    loader = placed(DatasetData(Scans(sound), 4), seed=5, rank=rank, world_size=2).train_dataloader()
    for epoch in (0, 3):
        loader.set_epoch(epoch)
        for number, batch in enumerate(loader):
            assert [{"sample": int(x)} for x in batch["x"][:, 0]] == loader.samples(epoch, number)


def test_the_place_of_an_error_is_in_the_dataset_and_not_in_what_it_calls(placed: Any, tmp_path: Path) -> None:
    def opens(index: int) -> bytes:
        return (tmp_path / "absent.bin").read_bytes()

    with pytest.raises(DataError, match=r"test_faults\.py:\d+: FileNotFoundError"):
        read(placed, opens)
