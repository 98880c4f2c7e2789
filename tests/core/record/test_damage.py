"""Whatever happens to a file of a checkpoint is noticed before a tensor is handed out."""

import json
import shutil

import pytest
import xxhash

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record import CheckpointStore, load_checkpoint

FILES = ["manifest.json", "state.json", "models.policy.safetensors", "optimizers.policy.safetensors"]


@pytest.fixture
def checkpoint(store, state):
    return store.save("step_1", state(), counters={"global_step": 1})


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_noticed(checkpoint, name):
    path = checkpoint / name
    original = path.read_bytes()
    missed = []
    for place in range(len(original)):
        damaged = bytearray(original)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            load_checkpoint(checkpoint)
            missed.append(place)
        except CheckpointError as error:
            assert name in str(error) or "format" in str(error)  # noqa: PT017
    assert missed == []
    path.write_bytes(original)
    load_checkpoint(checkpoint)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("length", [0, 1, 0.5, -1])
def test_a_truncated_file_is_named(checkpoint, name, length):
    path = checkpoint / name
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * length) if isinstance(length, float) else length])
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize("name", FILES)
def test_a_longer_file_is_named(checkpoint, name):
    with (checkpoint / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(checkpoint, name):
    (checkpoint / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize(("one", "other"), [(a, b) for a in FILES for b in FILES if a < b])
def test_two_swapped_files_are_noticed(checkpoint, one, other):
    first, second = (checkpoint / one).read_bytes(), (checkpoint / other).read_bytes()
    (checkpoint / one).write_bytes(second)
    (checkpoint / other).write_bytes(first)
    with pytest.raises(CheckpointError, match=f"{one}|{other}"):
        load_checkpoint(checkpoint)


def test_files_of_two_checkpoints_do_not_mix(store, state, checkpoint):
    other = store.save("step_2", state(2), counters={"global_step": 2})
    shutil.copy(other / "models.policy.safetensors", checkpoint)
    with pytest.raises(CheckpointError, match=r"models\.policy\.safetensors"):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize("name", FILES)
def test_a_link_in_the_place_of_a_file_is_refused(checkpoint, tmp_path, name):
    outside = tmp_path / "outside"
    shutil.move(checkpoint / name, outside)
    (checkpoint / name).symlink_to(outside)
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize(
    "name", ["../outside.json", "/etc/passwd.json", "sub/state.json", "weights.pt", ".hidden.json"]
)
def test_a_manifest_that_names_other_files_is_refused(checkpoint, name):
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    manifest["files"][name] = manifest["files"]["state.json"]
    seal(checkpoint, manifest)
    with pytest.raises(CheckpointError, match="cannot be one of its files"):
        load_checkpoint(checkpoint)


def test_a_sealed_manifest_is_read(checkpoint):
    seal(checkpoint, json.loads((checkpoint / "manifest.json").read_text()))
    load_checkpoint(checkpoint)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"{}", b'{"format": 1}', b'{"format": "x"}', b"[" * 100_000, b"\xff\xfe"]
)
def test_a_manifest_that_is_none_is_refused(checkpoint, content):
    (checkpoint / "manifest.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        load_checkpoint(checkpoint)


@pytest.mark.parametrize("structure", ["[]", '{"models.policy": {"$code": 1}}', '{"a": {"$tensor": "absent"}}', "3"])
def test_a_sealed_structure_that_describes_no_state_is_refused(checkpoint, structure):
    (checkpoint / "state.json").write_text(structure)
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    digest = xxhash.xxh3_128_hexdigest(structure.encode())
    manifest["files"]["state.json"] = {"size": len(structure), "xxh3_128": digest}
    seal(checkpoint, manifest)
    with pytest.raises(CheckpointError, match=r"state\.json does not describe"):
        load_checkpoint(checkpoint)


def test_a_folder_that_is_no_checkpoint_is_said_to_be_none(tmp_path):
    with pytest.raises(CheckpointError, match=r"no manifest\.json"):
        CheckpointStore(tmp_path).load(tmp_path)


def seal(checkpoint, manifest):
    """Write a manifest whose own digest is right."""
    manifest.pop("digest", None)
    digest = xxhash.xxh3_128_hexdigest(json.dumps(manifest).encode())
    (checkpoint / "manifest.json").write_text(json.dumps({**manifest, "digest": digest}, indent=1))
