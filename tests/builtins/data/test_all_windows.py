"""Every window of the real recordings, compared with loops over steps that know nothing of how windows are made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from ot_builtins.data.episodes import Episodes
from ot_builtins.data.lerobot.module import LeRobot

HISTORY, CHUNK = 3, 16
WINDOWS = {"pusht": 25_650, "g1_bottle_state": 22_042, "g1_bottle_video": 1_340}
FOLDERS = {"pusht": "pusht/pusht_cchi_v7_replay.zarr"}
Array = np.ndarray[Any, Any]


class Raw(NamedTuple):
    """A recording as its file format's own library reads it, episode after episode."""

    observations: Array
    actions: Array
    lengths: Sequence[int]


def read_raw(name: str, folder: Path) -> Raw:
    if name == "pusht":
        import zarr

        store = zarr.open_group(str(folder), mode="r")
        ends = store["meta/episode_ends"][:].tolist()
        lengths = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
        return Raw(store["data/state"][:], store["data/action"][:], lengths)
    tables = [pq.read_table(file) for file in sorted(folder.glob("data/**/*.parquet"))]
    lines = [json.loads(line) for line in (folder / "meta/episodes.jsonl").read_text().splitlines()]
    columns = ("observation.state", "action")
    states, actions = (np.concatenate([np.array(t[c].to_pylist(), dtype=np.float32) for t in tables]) for c in columns)
    return Raw(states, actions, [line["length"] for line in lines])


def make(name: str, folder: Path, placed: Any, chunk_from: str) -> Any:
    options = {"history": HISTORY, "chunk": CHUNK, "chunk_from": chunk_from}
    options |= {"shuffle": False, "drop_last": False, "validation": 0.0}
    if name == "pusht":
        return placed(Episodes(folder, {"observation": "state", "action": "action"}, 512, **options))
    fields = {"observation": "observation.state", "action": "action", "episode": "episode_index"}
    return placed(LeRobot(folder, fields, 512, **options))


def steps_of(lengths: Sequence[int], first: int) -> tuple[list[list[int]], list[list[int]], list[list[bool]]]:
    """Return, for every window, the rows of its observations, those of its chunk, and which of these are padding."""
    observed, acted, padded = [], [], []
    row = 0
    for length in lengths:
        for t in range(length):
            observed.append([row + max(0, t - back) for back in reversed(range(HISTORY))])
            chunk = [t + first + ahead for ahead in range(CHUNK)]
            acted.append([row + min(max(0, step), length - 1) for step in chunk])
            padded.append([step < 0 or step >= length for step in chunk])
        row += length
    return observed, acted, padded


def compare(module: Any, raw: Raw, first: int) -> int:
    """Assert that the batches of `module` are the windows of `raw`, and return how many there are."""
    observed, acted, padded = steps_of(raw.lengths, first)
    batches = list(module.train_dataloader())
    found = {name: torch.cat([batch[name] for batch in batches]).numpy() for name in batches[0]}
    np.testing.assert_array_equal(found["action_is_pad"], padded)
    np.testing.assert_array_equal(found["observation"], raw.observations[observed])
    np.testing.assert_array_equal(found["action"], raw.actions[acted])
    if "episode" in found:
        assert (found["episode"] == found["episode"][:, :1]).all()
    return len(padded)


@pytest.mark.parametrize(("chunk_from", "first"), [("current", 0), ("first_observation", 1 - HISTORY)])
def test_all_49032_windows_are_those_of_a_loop_over_steps(
    chunk_from: str, first: int, real_data: Any, placed: Any
) -> None:
    counted = {}
    for name in WINDOWS:
        folder = real_data(FOLDERS.get(name, name))
        counted[name] = compare(make(name, folder, placed, chunk_from), read_raw(name, folder), first)
    assert counted == WINDOWS
    assert sum(counted.values()) == 49_032


FAULTS = {
    "the moment is one late": (slice(None), 0, 1),
    "an episode begins one early": (slice(None), 1, -1),
    "an episode ends one late": (slice(None), 2, 1),
    "an episode ends one early": (slice(None), 2, -1),
    "one window alone is one late": (777, 0, 1),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", WINDOWS)
def test_a_planted_fault_by_one_is_caught(name: str, fault: str, real_data: Any, placed: Any) -> None:
    folder = real_data(FOLDERS.get(name, name))
    module, raw = make(name, folder, placed, "first_observation"), read_raw(name, folder)
    windows = module._train if name == "pusht" else module._train._windows
    rows, column, shift = FAULTS[fault]
    intact = windows._bounds.clone()
    windows._bounds[rows, column] += shift
    windows._bounds.clamp_(0, len(raw.actions) - 1)
    assert not torch.equal(intact, windows._bounds)
    with pytest.raises(AssertionError):
        compare(module, raw, 1 - HISTORY)


def test_the_frames_of_all_windows_are_those_of_their_steps(real_data: Any, placed: Any) -> None:
    import av

    from ot_builtins.data.lerobot.decoding import resized

    folder = real_data("g1_bottle_video")
    fields = {"action": "action", "image": "observation.images.cam_high"}
    options = {"history": HISTORY, "image_size": [24, 32], "cache": "memory", "video_backend": "pyav"}
    module = placed(LeRobot(folder, fields, 128, shuffle=False, drop_last=False, validation=0.0, **options))
    shown = []
    for file in sorted(folder.glob("videos/**/*.mp4")):
        with av.open(str(file)) as container:
            for frame in container.decode(video=0):
                shown.append(resized(torch.from_numpy(frame.to_ndarray(format="rgb24"))[None], (24, 32))[0])
    observed, _, _ = steps_of(read_raw("g1_bottle_video", folder).lengths, 0)
    found = torch.cat([batch["image"] for batch in module.train_dataloader()])
    assert torch.equal(found, torch.stack(shown)[torch.tensor(observed)])
    assert not torch.equal(found[:, -1], torch.stack(shown).roll(1, 0)), "neighbouring frames can be told apart"
