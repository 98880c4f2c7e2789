from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import zarr
from safetensors.numpy import save_file

from offline_trainer_core.errors import ComponentError, DataError
from ot_builtins.data.storage.formats import open_storage
from ot_builtins.data.storage.reading import read_ends, read_fields

LENGTHS = (4, 1, 7)
ENDS = np.cumsum(LENGTHS)
RNG = np.random.default_rng(0)
VALUES = {"state": RNG.normal(size=(12, 3)).astype(np.float32), "action": RNG.normal(size=(12, 2)).astype(np.float32)}


def write_npz(path: Path) -> Path:
    np.savez(path / "x.npz", **VALUES, episode_ends=ENDS)
    return path / "x.npz"


def write_safetensors(path: Path) -> Path:
    save_file({**VALUES, "episode_ends": ENDS}, path / "x.safetensors")
    return path / "x.safetensors"


def write_zarr(path: Path, version: int = 3) -> Path:
    root = zarr.open_group(str(path / "x.zarr"), mode="w", zarr_format=version)
    for name, values in VALUES.items():
        root.create_array(f"data/{name}", data=values, chunks=(5, values.shape[1]))
    root.create_array("meta/episode_ends", data=ENDS)
    return path / "x.zarr"


def write_flat_hdf5(path: Path) -> Path:
    with h5py.File(path / "x.hdf5", "w") as file:
        for name, values in {**VALUES, "episode_ends": ENDS}.items():
            file[name] = values
    return path / "x.hdf5"


def write_robomimic(path: Path) -> Path:
    # HDF5 lists demo_10 before demo_2: that episodes are ordered by number is part of the format.
    numbers = (0, 2, 10)
    with h5py.File(path / "x.h5", "w") as file:
        for number, end, length in zip(numbers, ENDS, LENGTHS, strict=True):
            for name, values in VALUES.items():
                file[f"data/demo_{number}/{name}"] = values[end - length : end]
    return path / "x.h5"


def write_lerobot(path: Path) -> Path:
    features = {name: {"dtype": "float32", "shape": [values.shape[1]]} for name, values in VALUES.items()}
    info = {
        "codebase_version": "v2.1",
        "chunks_size": 2,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "features": {**features, "camera": {"dtype": "video", "shape": [4, 4, 3]}},
    }
    (path / "meta").mkdir()
    (path / "meta/info.json").write_text(json.dumps(info))
    lines = [json.dumps({"episode_index": e, "length": n, "tasks": []}) for e, n in enumerate(LENGTHS)]
    (path / "meta/episodes.jsonl").write_text("\n".join(lines) + "\n")
    for episode, (end, length) in enumerate(zip(ENDS, LENGTHS, strict=True)):
        folder = path / f"data/chunk-{episode // 2:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        table = pa.table({name: list(values[end - length : end]) for name, values in VALUES.items()})
        pq.write_table(table, folder / f"episode_{episode:06d}.parquet")
    return path


WRITERS = [
    write_npz,
    write_safetensors,
    write_zarr,
    lambda path: write_zarr(path, version=2),
    write_flat_hdf5,
    write_robomimic,
    write_lerobot,
]


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_gives_back_what_was_written(write: Any, tmp_path: Path) -> None:
    storage = open_storage(write(tmp_path))
    assert sorted(storage.fields) == ["action", "state"]
    found = read_fields(storage)
    for name, values in VALUES.items():
        assert torch.equal(found[name], torch.from_numpy(values))
    assert read_ends(storage, 12).tolist() == [4, 5, 12]


def test_a_robot_recording_has_its_episodes_and_single_numbers(real_data: Any) -> None:
    storage = open_storage(real_data("g1_bottle_state"))
    fields = read_fields(storage, {"state": "observation.state", "episode": "episode_index", "frame": "frame_index"})
    ends = read_ends(storage, 22042)
    assert fields["state"].shape == (22042, 26)
    assert fields["frame"].shape == (22042,)
    episodes = torch.searchsorted(torch.from_numpy(ends), torch.arange(22042), right=True)
    assert torch.equal(fields["episode"], episodes)
    assert torch.equal(fields["frame"][torch.from_numpy(ends[:-1])], torch.zeros(59, dtype=torch.int64))


def test_a_field_that_is_a_video_is_not_offered(real_data: Any) -> None:
    with pytest.raises(DataError, match=r"no field 'observation.images.cam_high'.*it has: observation.state, action"):
        read_fields(open_storage(real_data("g1_bottle_video")), {"image": "observation.images.cam_high"})


def test_an_episode_file_that_is_missing_or_short_is_named(tmp_path: Path) -> None:
    storage = open_storage(write_lerobot(tmp_path))
    file = tmp_path / "data/chunk-000/episode_000001.parquet"
    pq.write_table(pa.table({name: list(values[:3]) for name, values in VALUES.items()}), file)
    with pytest.raises(DataError, match=r"episode_000001.parquet has 3 rows; meta/episodes.jsonl says 1"):
        read_fields(storage)
    file.unlink()
    with pytest.raises(DataError, match=r"episode_000001.parquet is missing"):
        read_fields(storage)


def test_a_format_that_is_too_new_says_which_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/info.json").write_text(json.dumps({"codebase_version": "v3.0"}))
    with pytest.raises(DataError, match=r"format v3.0; formats v2.0 and v2.1 can be read"):
        open_storage(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"a,b", "unknown format; allowed: .npz"),
        ("x.npz", b"not an archive", "cannot be read"),
        ("x.safetensors", b"not tensors", "cannot be read"),
        ("x.hdf5", b"not a file", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        open_storage(tmp_path / name)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.array([{"code": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"x.npz cannot be read: Object arrays"):
        read_fields(open_storage(tmp_path / "x.npz"), {"x": "x"})


def test_a_missing_library_is_an_error_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zarr(tmp_path)
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ComponentError, match=r"needs zarr.*\n.*pip install 'ot-builtins\[zarr\]'"):
        open_storage(path)


def test_numbers_of_another_byte_order_are_read(tmp_path: Path) -> None:
    values = VALUES["state"].astype(">f4")
    found = read_fields(open_storage({"x": values, "n": np.arange(12, dtype=">i8")}))
    assert torch.equal(found["x"], torch.from_numpy(VALUES["state"]))
    assert torch.equal(found["n"], torch.arange(12))


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("part", [slice(0, 2), slice(1, 3), slice(None, 2), slice(1, None)])
def test_a_part_of_a_field_is_the_slice_of_the_whole(write: Any, part: slice, tmp_path: Path) -> None:
    bounds = ["" if bound is None else str(bound) for bound in (part.start, part.stop)]
    found = read_fields(open_storage(write(tmp_path)), {"place": f"state[{':'.join(bounds)}]", "whole": "state"})
    assert torch.equal(found["place"], found["whole"][..., part])
    assert found["place"].shape == (12, 2)


def test_a_field_whose_own_name_has_brackets_is_itself() -> None:
    values = {"state": VALUES["state"], "state[0:2]": VALUES["action"] + 1}
    assert torch.equal(
        read_fields(open_storage(values), {"x": "state[0:2]"})["x"], torch.from_numpy(VALUES["action"] + 1)
    )


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ("state[0:4]", r"'state\[0:4\]' is no part of rows whose last dimension is 3, 0 to 2"),
        ("state[2:2]", r"'state\[2:2\]' is no part"),
        ("state[3:]", r"'state\[3:\]' is no part"),
        ("reward[0:1]", r"'reward\[0:1\]' asks for a part of single numbers"),
        ("sate[0:2]", r"has no field 'sate'; did you mean 'state'\?"),
        ("state[0:x]", r"has no field 'state\[0:x\]'"),
    ],
)
def test_what_is_no_part_of_a_field_is_said(stored: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_fields(open_storage({**VALUES, "reward": np.zeros(12)}), {"x": stored})
