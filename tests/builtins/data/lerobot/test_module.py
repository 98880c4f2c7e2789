"""`data.lerobot`: what a batch has, in which order, on how many processes."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from offline_trainer_core.testing import DataModuleContract
from ot_builtins.data.episodes import Episodes
from ot_builtins.data.lerobot.module import LeRobot
from ot_builtins.data.loader import RowLoader

CAMERA = "observation.images.front"
NUMBERS = {"state": "observation.state", "action": "action"}
LENGTHS = [9, 14, 6, 11]


def epoch(module: Any, number: int = 0, start: int = 0) -> list[Any]:
    loader = module.train_dataloader()
    loader.set_epoch(number, start)
    return list(loader)


def same(found: list[Any], expected: list[Any]) -> bool:
    def equal(one: Any, two: Any) -> bool:
        return torch.equal(one, two) if isinstance(one, torch.Tensor) else one == two

    def same_batch(one: Any, two: Any) -> bool:
        return one.keys() == two.keys() and all(equal(one[name], two[name]) for name in one)

    return len(found) == len(expected) and all(map(same_batch, found, expected))


class TestContract(DataModuleContract):
    @pytest.fixture(autouse=True)
    def _recorded(self, recording: Path) -> None:
        self.recording = recording

    def make(self) -> LeRobot:
        fields = {**NUMBERS, "image": CAMERA, "task_index": "task_index"}
        return LeRobot(self.recording, fields, 4, chunk=3, validation=0.25, image_size=[16, 24])


def test_a_window_has_its_frames_numbers_and_the_task_in_words(recording: Path, lerobot: Any, sequential: Any) -> None:
    fields = {**NUMBERS, "image": CAMERA, "task": "task", "task_index": "task_index"}
    module = lerobot(fields=fields, history=3, chunk=4, validation=0.0, shuffle=False, drop_last=False)
    windows = [(episode, t) for episode, length in enumerate(LENGTHS) for t in range(length)]
    films = [sequential(file) for file in sorted(recording.glob("videos/**/*.mp4"))]
    tables = [pq.read_table(file) for file in sorted(recording.glob("data/**/*.parquet"))]
    tasks = [json.loads(line)["task"] for line in (recording / "meta/tasks.jsonl").read_text().splitlines()]
    at = 0
    for batch in module.train_dataloader():
        assert batch["image"].dtype == torch.uint8
        for row in range(len(batch["state"])):
            episode, t = windows[at]
            last = LENGTHS[episode] - 1
            seen = [max(0, t - 2), max(0, t - 1), t]
            ahead = [min(t + k, last) for k in range(4)]
            table = {name: np.array(tables[episode][name].to_pylist()) for name in ("observation.state", "action")}
            np.testing.assert_array_equal(batch["image"][row].numpy(), films[episode][seen])
            np.testing.assert_array_equal(batch["state"][row].numpy(), table["observation.state"][seen])
            np.testing.assert_array_equal(batch["action"][row].numpy(), table["action"][ahead])
            assert batch["action_is_pad"][row].tolist() == [t + k > last for k in range(4)]
            assert batch["task"][row] == tasks[episode % 2]
            assert batch["task_index"][row].tolist() == [episode % 2] * 3
            at += 1
    assert at == sum(LENGTHS)


@pytest.mark.parametrize("chunk_from", ["current", "first_observation"])
@pytest.mark.parametrize("skip_last", [0, 3])
def test_numbers_are_bit_by_bit_those_of_data_episodes(
    chunk_from: Any, skip_last: int, recording: Path, lerobot: Any, placed: Any
) -> None:
    options = {"history": 2, "chunk": 5, "chunk_from": chunk_from, "skip_last": skip_last, "validation": 0.25}
    ours = lerobot(fields=NUMBERS, batch_size=4, seed=5, statistics="computed", **options)
    theirs = placed(Episodes(recording, NUMBERS, 4, **options), seed=5)
    assert same(epoch(ours, 2), epoch(theirs, 2))
    assert same(list(ours.val_dataloader()), list(theirs.val_dataloader()))
    for name in NUMBERS:
        assert same([dict(ours.stats[name])], [dict(theirs.stats[name])])
    assert isinstance(ours.train_dataloader(), RowLoader), "numbers alone are gathered on the device"
    assert not same(epoch(ours, 2), epoch(placed(Episodes(recording, NUMBERS, 4, **options), seed=6), 2))


@pytest.mark.parametrize("options", [{"num_workers": 2}, {"num_workers": 1, "cache": "memory"}])
def test_workers_and_restarts_change_nothing(options: dict[str, Any], lerobot: Any) -> None:
    expected, helped = lerobot(batch_size=4), lerobot(batch_size=4, **options)
    for number in (0, 1):
        assert same(epoch(helped, number), epoch(expected, number))
    whole = epoch(expected, 3)
    for start in (1, len(whole) - 1):
        assert same(epoch(helped, 3, start), whole[start:])
    assert same(list(helped.val_dataloader()), list(expected.val_dataloader()))
    assert not same(epoch(expected, 0), epoch(expected, 1))


def test_the_batches_of_two_processes_join_to_those_of_one(lerobot: Any) -> None:
    shares = [epoch(lerobot(batch_size=4, rank=rank, world_size=2)) for rank in range(2)]
    joined = [
        {n: torch.cat([a[n], b[n]]) if isinstance(a[n], torch.Tensor) else a[n] + b[n] for n in a}
        for a, b in zip(*shares, strict=True)
    ]
    assert same(joined, epoch(lerobot(batch_size=4)))


def test_a_loader_says_of_which_episode_frame_and_file_its_windows_are(recording: Path, lerobot: Any) -> None:
    module = lerobot(batch_size=4)
    for loader in (module.train_dataloader(), module.val_dataloader()):
        loader.set_epoch(1)
        for number, batch in enumerate(loader):
            for sample, state in zip(loader.samples(1, number), batch["state"][:, -1], strict=True):
                table = pq.read_table(recording / sample["file"])
                assert table["observation.state"][sample["frame"]].as_py() == state.tolist()
                assert sample["file"] == f"data/chunk-000/episode_{sample['episode']:06d}.parquet"


def test_a_real_recording_has_the_frames_of_its_videos(real_data: Any, placed: Any, sequential: Any) -> None:
    folder = real_data("g1_bottle_video")
    fields = {"image": "observation.images.cam_high", "task": "task", "action": "action"}
    module = placed(LeRobot(folder, fields, 4, history=2, validation=0.2), seed=1)
    loader = module.train_dataloader()
    batch, samples = next(iter(loader)), loader.samples(0, 0)
    for row, sample in enumerate(samples):
        file = f"videos/chunk-000/observation.images.cam_high/episode_{sample['episode']:06d}.mp4"
        film = sequential(folder / file)[[max(0, sample["frame"] - 1), sample["frame"]]]
        np.testing.assert_array_equal(batch["image"][row].numpy(), film)
    assert batch["task"] == ["Pick up the yellow bottle on the table."] * 4
    frames = np.array(list(accumulate([221, 277, 267, 278, 297])))
    assert frames[-1] == len(module._train) + len(module._held) == 1340


def test_version_2_0_is_read_with_computed_statistics(tmp_path: Path, write_recording: Any, lerobot: Any) -> None:
    folder = write_recording(tmp_path / "old", (9, 12), version="v2.0")
    (folder / "meta/episodes_stats.jsonl").unlink()
    module = lerobot(path=folder, validation=0.0, statistics="computed")
    assert set(module.stats) == {"state", "action"}
    assert len(epoch(module)) == 21 // 8
