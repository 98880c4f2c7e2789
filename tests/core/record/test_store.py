"""Checkpoints: what is written, what is read back, what is kept."""

import json
import logging

import pytest
import safetensors.torch
import torch

from offline_trainer_core.errors import CheckpointError, UsageError
from offline_trainer_core.record import CheckpointStore, load_checkpoint

COUNTERS = {"epoch": 1, "global_step": 10, "micro_step_in_epoch": 3}


def test_a_state_comes_back_bit_by_bit(store, state, assert_same):
    saved = state()
    store.save("step_10", saved, counters=COUNTERS)
    assert_same(store.load("step_10").state, saved)


def test_the_manifest_says_who_wrote_what(store, state):
    plan = {"loss.huber": {"distribution": "ot-myteam", "version": "1.0"}}
    path = store.save("step_10", state(), counters=COUNTERS, plan=plan, config_digest="abc")
    manifest = store.load("step_10").manifest
    assert (manifest.name, manifest.counters, manifest.plan, manifest.config_digest) == (
        "step_10",
        COUNTERS,
        plan,
        "abc",
    )
    assert manifest.world_size == 1
    assert set(manifest.files) | {"manifest.json"} == set(names_in(path))


def test_the_weights_are_a_file_for_anyone(store, state):
    path = store.save("step_10", state(), counters=COUNTERS)
    weights = safetensors.torch.load_file(path / "models.policy.safetensors")
    assert {name: w.tolist() for name, w in weights.items()} == {
        name: w.tolist() for name, w in state()["models.policy"].items()
    }


def test_a_checkpoint_loads_by_name_by_pointer_and_by_path(store, state):
    path = store.save("step_10", state(), counters=COUNTERS)
    store.mark_best("step_10")
    places = ["step_10", "last", "best", path, str(path)]
    assert {store.load(place).manifest.name for place in places} == {"step_10"}
    assert load_checkpoint(path).manifest.name == "step_10"


@pytest.mark.parametrize("name", ["step_99", "last", "best", "/nowhere/step_1"])
def test_an_absent_checkpoint_is_named(store, state, name):
    if name != "last":
        store.save("step_10", state(), counters=COUNTERS)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        store.load(name)


@pytest.mark.parametrize("name", ["last", "best", "../step_1", ".hidden", "", "a/b", "a" * 300])
def test_a_name_that_cannot_be_a_folder_is_refused(store, state, name):
    with pytest.raises(CheckpointError, match="cannot be named"):
        store.save(name, state(), counters=COUNTERS)
    assert not store.dir.exists()


def test_who_goes_on_from_the_newest_finds_it_to_be_the_last_from_then_on(store, state):
    store.save("step_9", state(), counters=COUNTERS)
    before = (store.dir / "last").read_bytes()
    store.save("step_10", state(), counters=COUNTERS)
    (store.dir / "last").write_bytes(before)  # what a kill between the two leaves
    assert store.last() == "step_9"
    store.go_on_from("step_9")
    assert store.last() == "step_9", "who goes on from an older one has not saved anything since"
    store.go_on_from("step_10")
    assert store.last() == "step_10"


def test_the_newest_is_the_one_saved_last(store, state):
    assert store.latest() is None
    for name in ("step_9", "step_10", "epoch_1"):
        store.save(name, state(), counters=COUNTERS)
    assert store.names() == ["step_9", "step_10", "epoch_1"]
    assert store.latest() == "epoch_1"
    assert store.last() == "epoch_1"
    assert (store.dir / "last").read_text().splitlines()[0] == "epoch_1"


def test_a_checkpoint_of_the_same_name_is_replaced_and_becomes_the_newest(store, state, assert_same):
    for name, seed in (("a", 1), ("b", 2), ("a", 3)):
        store.save(name, state(seed), counters=COUNTERS)
    assert store.names() == ["b", "a"]
    assert_same(store.load("a").state, state(3))
    assert names_in(store.dir) == ["a", "b", "last"]


def test_what_unfinished_saves_left_is_ignored_and_cleaned_at_the_next(store, state):
    store.save("step_1", state(), counters=COUNTERS)
    for leftover in (".step_2.saving", ".step_0.deleted", ".step_1.replaced"):
        (store.dir / leftover).mkdir()
    assert store.names() == ["step_1"]
    store.save("step_3", state(), counters=COUNTERS)
    assert names_in(store.dir) == ["last", "step_1", "step_3"]


def test_a_killed_replacement_leaves_the_old_checkpoint(store, state, assert_same):
    store.save("step_1", state(1), counters=COUNTERS)
    (store.dir / "step_1").rename(store.dir / ".step_1.replaced")
    assert store.latest() == "step_1"
    assert_same(store.load("step_1").state, state(1))
    store.save("step_2", state(2), counters=COUNTERS)
    assert (store.dir / "step_1").is_dir()
    assert store.names() == ["step_1", "step_2"]


def test_a_damaged_checkpoint_is_skipped_and_it_is_said_why(store, state, caplog):
    for seed in (1, 2):
        store.save(f"step_{seed}", state(seed), counters=COUNTERS)
    (store.dir / "step_2" / "state.json").write_text("{}")
    with caplog.at_level(logging.WARNING):
        assert store.latest() == "step_1"
    assert "step_2" in caplog.text
    assert "state.json" in caplog.text


def test_pruning_keeps_the_newest_and_the_best(store, state):
    for seed in range(5):
        store.save(f"step_{seed}", state(seed), counters=COUNTERS)
    store.mark_best("step_1")
    store.prune(keep_last=2)
    assert store.names() == ["step_1", "step_3", "step_4"]
    assert store.best() == "step_1"


def test_pruning_does_not_count_what_is_unfinished_or_incomplete(store, state):
    for seed in range(3):
        store.save(f"step_{seed}", state(seed), counters=COUNTERS)
    (store.dir / ".step_3.saving").mkdir()
    (store.dir / "step_2" / "state.json").unlink()
    store.prune(keep_last=2)
    assert {"step_0", "step_1"} <= set(store.names())


def test_pruning_keeps_the_last_good_one(store, state):
    for seed in range(4):
        store.save(f"step_{seed}", state(seed), counters=COUNTERS)
    for seed in (2, 3):
        flip(store.dir / f"step_{seed}" / "models.policy.safetensors")
    store.prune(keep_last=2)
    assert store.latest() == "step_1"
    assert "step_0" not in store.names()


def test_a_run_keeps_at_least_one_checkpoint(store):
    with pytest.raises(UsageError, match="at least one"):
        store.prune(keep_last=0)


def test_a_deleted_checkpoint_is_gone_and_its_pointers_point_nowhere(store, state):
    store.save("step_1", state(), counters=COUNTERS)
    store.mark_best("step_1")
    store.delete("step_1")
    assert store.names() == []
    assert store.best() is None
    with pytest.raises(CheckpointError, match="no checkpoint 'step_1'"):
        store.mark_best("step_1")


def test_an_unsavable_state_is_refused_before_anything_is_written(store, state):
    store.save("step_1", state(), counters=COUNTERS)
    with pytest.raises(CheckpointError, match=r"callbacks\.plot\.figure"):
        store.save("step_2", {"callbacks": {"plot": {"figure": object()}}}, counters=COUNTERS)
    assert store.names() == ["step_1"]


@pytest.mark.parametrize("section", ["../escape", "a/b", ".hidden"])
def test_a_section_that_cannot_be_a_file_is_refused(store, section):
    with pytest.raises(CheckpointError, match="section"):
        store.save("step_1", {section: {}}, counters=COUNTERS)


def test_a_newer_format_is_refused_with_the_way_to_read_it(store, state):
    path = store.save("step_1", state(), counters=COUNTERS)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(CheckpointError, match="pip install --upgrade offline-trainer-core"):
        store.load("step_1")


def test_an_asynchronous_save_holds_the_state_of_its_moment(store, assert_same):
    weights = {"w": torch.zeros(1000)}
    store.save("step_1", {"models.policy": weights}, counters=COUNTERS, asynchronous=True)
    weights["w"] += 1
    store.wait()
    assert_same(store.load("step_1").state["models.policy"], {"w": torch.zeros(1000)})


def test_the_next_save_waits_for_the_last(store, state):
    for seed in range(3):
        store.save(f"step_{seed}", state(seed), counters=COUNTERS, asynchronous=True)
    store.wait()
    assert store.names() == ["step_0", "step_1", "step_2"]


def test_the_best_may_still_be_on_its_way(store, state):
    store.save("step_1", state(), counters=COUNTERS, asynchronous=True)
    store.mark_best("step_1")
    assert store.best() == "step_1"


@pytest.mark.parametrize("surface", ["wait", "save"])
def test_an_error_of_an_asynchronous_save_surfaces(store, state, surface):
    store.dir.write_text("a file where the folder should be")
    store.save("step_1", state(), counters=COUNTERS, asynchronous=True)
    with pytest.raises(CheckpointError, match="cannot save checkpoint 'step_1'"):
        store.wait() if surface == "wait" else store.save("step_2", state(), counters=COUNTERS)
    store.dir.unlink()
    store.save("step_2", state(), counters=COUNTERS)
    assert store.names() == ["step_2"]


def test_map_location_moves_every_tensor(store, state):
    store.save("step_1", state(), counters=COUNTERS)
    loaded = CheckpointStore(store.dir).load("step_1", map_location="meta").state
    assert loaded["models.policy"]["0.weight"].is_meta


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def flip(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
