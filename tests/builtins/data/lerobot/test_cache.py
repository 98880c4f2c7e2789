"""Decoded frames that are kept: the same frames, in memory and on disk, whoever else makes them."""

from __future__ import annotations

import json
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offline_trainer_core.errors import DeviceError
from ot_builtins.data.lerobot import disk, memory
from ot_builtins.data.lerobot.disk import MappedFrames, on_disk
from ot_builtins.data.lerobot.frames import Footage
from ot_builtins.data.lerobot.memory import in_memory
from ot_builtins.data.lerobot.videos import clip
from ot_builtins.data.storage.recording import Episode


@pytest.fixture
def footage(recording: Path) -> Footage:
    return make_footage(recording)


def make_footage(recording: Path, size: tuple[int, int] | None = None) -> Footage:
    files = sorted(recording.glob("videos/**/*.mp4"))
    stamps = [np.arange(length) / 10 for length in (9, 14, 6, 11)]
    clips = [clip(f, Episode(0, len(s), 0), s, np.full(len(s), 1e-4)) for f, s in zip(files, stamps, strict=True)]
    return Footage(clips, size, "pyav")


def expected(recording: Path, sequential: Any) -> torch.Tensor:
    return torch.cat([torch.from_numpy(sequential(file)) for file in sorted(recording.glob("videos/**/*.mp4"))])


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_batches_are_the_same_with_any_cache(
    cache: str, lerobot: Any, tmp_path: Path, assert_same_batches: Any
) -> None:
    fields = {"action": "action", "image": "observation.images.front"}
    one = lerobot(fields=fields, image_size=[16, 24]).train_dataloader()
    other = lerobot(fields=fields, image_size=[16, 24], cache=cache, cache_dir=tmp_path / "cache").train_dataloader()
    assert_same_batches(other, one)
    whole = lerobot(fields=fields).train_dataloader()
    with pytest.raises(AssertionError):
        assert_same_batches(other, whole)


@pytest.mark.parametrize("shared", [True, False])
def test_memory_holds_all_frames_and_shares_them_with_workers(
    shared: bool, footage: Footage, recording: Path, sequential: Any
) -> None:
    frames = in_memory(footage, "front", shared=shared)
    assert torch.equal(frames, expected(recording, sequential))
    assert frames.is_shared() == shared


def test_frames_that_do_not_fit_into_memory_are_refused_before_they_are_decoded(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 10 kB\nMemAvailable: 2 kB\n")
    monkeypatch.setattr(memory, "_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(Footage, "decode", None)
    with pytest.raises(DeviceError, match=r"frames of 'front', and 0 MB of memory are free: lower data.image_size"):
        in_memory(footage, "front", shared=False)


def test_a_cache_on_disk_is_made_once(
    footage: Footage, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sequential: Any
) -> None:
    frames = expected(recording, sequential)
    rows = torch.tensor([3, 3, 39, 0])
    assert torch.equal(on_disk(footage, "front", tmp_path / "cache").index_select(0, rows), frames[rows])
    monkeypatch.setattr(Footage, "decode", None)
    again = on_disk(make_footage(recording), "front", tmp_path / "cache")
    assert torch.equal(again.index_select(0, torch.arange(40)), frames)
    assert sorted(path.name for path in tmp_path.glob("cache/*/*")) == ["frames.json", "frames.npy"]


def test_a_cache_is_of_what_it_was_made_from(
    footage: Footage, recording: Path, tmp_path: Path, write_film: Any
) -> None:
    folder = tmp_path / "cache"
    on_disk(footage, "front", folder)
    on_disk(make_footage(recording, (16, 24)), "front", folder)
    assert len(list(folder.iterdir())) == 2
    video = next(recording.glob("videos/**/episode_000002.mp4"))
    write_film(video, 6, 10, (32, 48), "libx264", {"g": "1", "qp": "40"})
    changed = on_disk(make_footage(recording), "front", folder)
    assert len(list(folder.iterdir())) == 3
    assert changed.shape == footage.shape


@pytest.mark.parametrize("part", ["frames.npy", "frames.json"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_cache_is_made_anew(
    part: str, damage: str, footage: Footage, recording: Path, tmp_path: Path, sequential: Any
) -> None:
    on_disk(footage, "front", tmp_path / "cache")
    (file,) = tmp_path.glob(f"cache/*/{part}")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content if damage == "flipped" else content[: len(content) // 2])
    if damage == "gone":
        file.unlink()
    mended = on_disk(footage, "front", tmp_path / "cache")
    assert torch.equal(mended.index_select(0, torch.arange(40)), expected(recording, sequential))
    assert len(list((tmp_path / "cache").iterdir())) == 1


def _make(recording: Path, folder: Path, start: Any, found: Any) -> None:
    start.wait()
    frames = on_disk(make_footage(recording), "front", folder)
    found.put(frames.index_select(0, torch.arange(40)).numpy().tobytes())


def test_processes_that_make_a_cache_at_once_all_have_good_frames(
    recording: Path, tmp_path: Path, sequential: Any
) -> None:
    context = multiprocessing.get_context("spawn")
    start, found = context.Barrier(3), context.Queue()
    arguments = (recording, tmp_path / "cache", start, found)
    processes = [context.Process(target=_make, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    frames = {found.get(timeout=120) for _ in processes}
    for process in processes:
        process.join()
    assert frames == {expected(recording, sequential).numpy().tobytes()}
    (made,) = (tmp_path / "cache").iterdir()
    assert not made.name.startswith("."), "no draft is left behind"


def test_whoever_is_slower_keeps_the_cache_that_is_there(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faster = threading.Event()
    write = disk._write

    def slow(slow_footage: Footage, file: Path) -> None:
        write(slow_footage, file)
        if not faster.is_set():
            faster.set()
            on_disk(footage, "front", tmp_path / "cache")

    monkeypatch.setattr(disk, "_write", slow)
    on_disk(footage, "front", tmp_path / "cache")
    (made,) = (tmp_path / "cache").iterdir()
    assert json.loads((made / "frames.json").read_text())["frames"] == disk._digest(made / "frames.npy")


def test_an_interrupted_cache_is_not_taken_for_one(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Footage) -> Any:
        yield torch.zeros(5, *self.shape[1:], dtype=torch.uint8)
        raise KeyboardInterrupt

    decode = Footage.decode
    monkeypatch.setattr(Footage, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        on_disk(footage, "front", tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    monkeypatch.setattr(Footage, "decode", decode)
    assert isinstance(on_disk(footage, "front", tmp_path / "cache"), MappedFrames)


def test_a_folder_that_cannot_be_written_is_said(footage: Footage, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DeviceError, match=r"data.cache_dir: the frames of 'front'.*cannot be written to .*file"):
        on_disk(footage, "front", tmp_path / "file")
