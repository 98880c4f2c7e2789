"""Recorded data is data: no file that a stranger made runs code when it is read."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: F401 - what is read becomes tensors

from offline_trainer_core.errors import DataError
from ot_builtins.data.storage.formats import open_storage
from ot_builtins.data.storage.reading import read_fields


class Gadget:
    """Touches a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "executed"


@pytest.fixture
def gadgets(mark):
    """Four objects of which every one executes code where it is unpickled."""
    array = np.empty(4, dtype=object)
    array[:] = [Gadget(mark)] * 4
    return array


def refuse_to_run(path, mark, message):
    with pytest.raises(DataError, match=message):
        read_fields(open_storage(path))
    assert not mark.exists()


def test_the_gadget_works_where_it_is_let(gadgets, mark):
    pickle.loads(pickle.dumps(gadgets))  # noqa: S301 - the control
    assert mark.exists()


def test_numpy(gadgets, mark, tmp_path):
    np.savez(tmp_path / "a.npz", action=gadgets, episode_ends=np.array([4]))
    refuse_to_run(tmp_path / "a.npz", mark, "allow_pickle|pickled|Object arrays")
    np.savez(tmp_path / "b.npz", action=np.zeros(4), episode_ends=gadgets)
    refuse_to_run(tmp_path / "b.npz", mark, "allow_pickle|pickled|Object arrays")


PICKLE = {"id": "pickle", "protocol": 5}


ZARRS_OWN_RACE = pytest.mark.filterwarnings(r"ignore:(?s).*[.]zgroup:pytest.PytestUnraisableExceptionWarning")
"""zarr 3.4 writes the group above an array that is written, and a thread of it may find that another has done so."""


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "|O", "filters": [PICKLE]},
        {"filters": [PICKLE]},
        {"compressor": PICKLE},
        {"dtype": "|O", "fill_value": "", "filters": [{"id": "vlen-utf8"}], "compressor": PICKLE},
        {"dtype": "|O", "fill_value": "", "filters": [{"id": "vlen-utf8"}, PICKLE]},
        {"filters": [{"id": "no_such_codec_of_any_package"}]},
    ],
)
@pytest.mark.parametrize("field", ["data/action", "meta/episode_ends"])
@pytest.mark.parametrize("consolidated", [False, True])
@ZARRS_OWN_RACE
def test_zarr_with_codecs_that_may_run_code(change, field, consolidated, gadgets, mark, tmp_path):
    path = written_zarr(tmp_path / "a.zarr")
    place = path / field / ".zarray"
    changed = json.loads(place.read_text()) | change
    if consolidated:  # zarr reads this file, and none of the others
        entries = {str(file.relative_to(path)): json.loads(file.read_text()) for file in path.rglob(".z*")}
        entries[f"{field}/.zarray"] = changed
        (path / ".zmetadata").write_text(json.dumps({"zarr_consolidated_format": 1, "metadata": entries}))
    else:
        place.write_text(json.dumps(changed))
    (path / field / "0").write_bytes(pickle.dumps(gadgets))
    refuse_to_run(path, mark, "and only codecs that cannot run code are read")


@pytest.mark.parametrize("version", [2, 3])
@ZARRS_OWN_RACE
def test_zarr_as_it_should_be_is_read(version, mark, tmp_path):
    path = written_zarr(tmp_path / "a.zarr", version)
    assert read_fields(open_storage(path))["action"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_zarr_3_with_codecs_of_other_packages(mark, tmp_path):
    path = written_zarr(tmp_path / "a.zarr", 3)
    for file in (path / "data" / "action" / "zarr.json", path / "zarr.json"):
        text = json.loads(file.read_text())
        if "codecs" in text:
            text["codecs"] = [{"name": "someone.codec", "configuration": {}}]
        file.write_text(json.dumps(text))
    refuse_to_run(path, mark, "names the codec 'someone.codec'")


def written_zarr(path, version=2):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(path), mode="w", zarr_format=version)
    for name, values in (("data/action", np.arange(4.0)), ("meta/episode_ends", np.array([4]))):
        plain = {"filters": None, "compressors": None} if version == 2 else {}
        array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=values.shape, **plain)
        array[:] = values
    return path


def test_hdf5(gadgets, mark, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["action"] = np.frombuffer(pickle.dumps(gadgets).ljust(4096, b"\0"), dtype="V1024")
    refuse_to_run(tmp_path / "a.hdf5", mark, "not numbers")


def test_parquet(gadgets, mark, tmp_path):
    """A type whose parameters older versions of pyarrow unpickled, CVE-2023-47248."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    metadata = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": pickle.dumps(gadgets)}
    field = pa.field("action", pa.float32(), metadata=metadata)
    (tmp_path / "meta").mkdir()
    (tmp_path / "data").mkdir()
    info = {"codebase_version": "v2.1", "total_episodes": 1, "total_frames": 4, "chunks_size": 1000}
    info |= {"data_path": "data/{episode_index}.parquet", "features": {"action": {"dtype": "float32", "shape": [1]}}}
    (tmp_path / "meta" / "info.json").write_text(json.dumps(info))
    (tmp_path / "meta" / "episodes.jsonl").write_text(json.dumps({"episode_index": 0, "length": 4}) + "\n")
    pq.write_table(
        pa.table([pa.array([0.0, 1.0, 2.0, 3.0], pa.float32())], pa.schema([field])), tmp_path / "data/0.parquet"
    )
    assert read_fields(open_storage(tmp_path))["action"].flatten().tolist() == [0.0, 1.0, 2.0, 3.0]
    assert not mark.exists()
