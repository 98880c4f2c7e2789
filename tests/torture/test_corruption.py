"""A thousand ways to damage a folder of checkpoints: each is noticed, said, and survived."""

import logging
import os
import random
import shutil
from pathlib import Path

import pytest
import torch

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record import CheckpointStore

CORRUPTIONS, SHORT, BATCH = 1000, 200, 50
NAMES = ["step_1", "step_2", "step_3"]
POINTERS = ["last", "best"]


def state(step):
    generator = torch.Generator().manual_seed(step)
    weights = {f"{layer}.weight": torch.randn(32, 64, generator=generator) for layer in range(3)}
    moments = {layer: {"exp_avg": torch.randn(32, 64, generator=generator)} for layer in range(3)}
    return {
        "models.policy": weights,
        "optimizers.policy": {"state": moments, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99)}]},
        "counters": {"global_step": step},
        "rank0.generators": {"torch": generator.get_state()},
    }


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A folder of three checkpoints, the second of them the best."""
    store = CheckpointStore(tmp_path_factory.mktemp("sound") / "checkpoints")
    for step, name in enumerate(NAMES, 1):
        store.save(name, state(step), counters={"global_step": step})
    store.mark_best("step_2")
    return store.dir


class Vandal:
    """Damages one thing; says which checkpoint or pointer it was, and which name must be in what is said of it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.dice = random.Random(seed)

    def strike(self):
        ways = [self.flip] * 6 + [self.truncate] * 3 + [self.append, self.zero_page, self.overwrite, self.remove] * 2
        ways += [self.swap_within, self.swap_between, self.copy_older, self.folder_instead, self.link_instead]
        ways += [self.pipe_instead, self.no_manifest, self.rename, self.remove_checkpoint, self.swap_checkpoints]
        return self.dice.choice(ways)()

    def a_file(self):
        """Choose a checkpoint or, one time in eight, a pointer; return what was chosen, and its file."""
        if self.dice.random() < 0.125:
            pointer = self.dice.choice(POINTERS)
            return pointer, self.folder / pointer
        name = self.dice.choice(NAMES)
        return name, self.dice.choice(sorted((self.folder / name).iterdir()))

    def a_checkpoint(self):
        return self.dice.choice(NAMES)

    def flip(self):
        name, path = self.a_file()
        data = bytearray(path.read_bytes())
        data[self.dice.randrange(len(data))] ^= 1 << self.dice.randrange(8)
        path.write_bytes(data)
        return name, path.name

    def truncate(self):
        name, path = self.a_file()
        os.truncate(path, self.dice.randrange(path.stat().st_size))
        return name, path.name

    def append(self):
        name, path = self.a_file()
        with path.open("ab") as file:
            file.write(self.dice.randbytes(self.dice.choice([1, 8, 4096])))
        return name, path.name

    def zero_page(self):
        name, path = self.a_file()
        data = bytearray(path.read_bytes())
        start = self.dice.randrange(0, len(data), 512)
        page = bytes(len(data[start : start + 512]))
        if data[start : start + 512] == page:
            return self.flip()
        data[start : start + 512] = page
        path.write_bytes(data)
        return name, path.name

    def overwrite(self):
        name, path = self.a_file()
        path.write_bytes(self.dice.randbytes(path.stat().st_size))
        return name, path.name

    def remove(self):
        name = self.a_checkpoint()
        path = self.dice.choice(sorted((self.folder / name).iterdir()))
        path.unlink()
        return name, path.name

    def no_manifest(self):
        name = self.a_checkpoint()
        (self.folder / name / "manifest.json").unlink()
        return name, "manifest.json"

    def swap_within(self):
        name = self.a_checkpoint()
        one, other = self.dice.sample(sorted((self.folder / name).iterdir()), 2)
        swap(one, other)
        return name, ("manifest.json" if "manifest.json" in (one.name, other.name) else name)

    def swap_between(self):
        one, other = self.dice.sample(NAMES, 2)
        file = self.dice.choice(sorted(path.name for path in (self.folder / one).iterdir()))
        swap(self.folder / one / file, self.folder / other / file)
        return max(one, other), file

    def copy_older(self):
        file = self.dice.choice(sorted(path.name for path in (self.folder / "step_3").iterdir()))
        shutil.copy(self.folder / "step_1" / file, self.folder / "step_3" / file)
        return "step_3", file

    def folder_instead(self):
        name, path = self.a_file()
        path.unlink()
        path.mkdir()
        return name, path.name

    def link_instead(self):
        name, path = self.a_file()
        outside = path.rename(self.folder.parent / "outside")
        path.symlink_to(outside)
        return name, path.name

    def pipe_instead(self):
        name, path = self.a_file()
        path.unlink()
        os.mkfifo(path)
        return name, path.name

    def rename(self):
        name = self.a_checkpoint()
        (self.folder / name).rename(self.folder / "step_9")
        return name, "step_9" if name != "step_3" else "step_3"

    def remove_checkpoint(self):
        name = self.a_checkpoint()
        shutil.rmtree(self.folder / name)
        return name, name

    def swap_checkpoints(self):
        one, other = self.dice.sample(NAMES, 2)
        swap(self.folder / one, self.folder / other)
        return max(one, other), "manifest.json"


def swap(one: Path, other: Path) -> None:
    aside = one.with_name("aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def is_unnoticed(sound: Path, folder: Path, seed: int, caplog) -> str:
    """Damage a copy of the folder, use it, and return what was not as it must be."""
    shutil.copytree(sound, folder, symlinks=True)
    untouched = {path.name: manifest(path) for path in folder.iterdir() if path.is_dir()}
    damaged, named = Vandal(folder, seed).strike()
    caplog.clear()
    store = CheckpointStore(folder)
    newest = store.latest()
    if newest is None:
        return f"{damaged}: nothing is left"
    try:
        found = store.load(newest)
    except CheckpointError as error:
        return f"{damaged}: {newest} is called good, and cannot be loaded: {error}"
    expected = state(found.manifest.counters["global_step"])
    if not torch.equal(found.state["models.policy"]["0.weight"], expected["models.policy"]["0.weight"]):
        return f"{damaged}: the tensors of another step were handed out"
    if damaged in POINTERS:
        try:
            store.load(damaged)
            return "" if damaged == "last" and "last" in caplog.text else f"{damaged}: not said"
        except CheckpointError as error:
            return "" if "best" in f"{error}{caplog.text}" else f"{damaged}: not said"
    try:
        store.load(damaged)
    except CheckpointError as error:
        if named not in str(error) and damaged not in str(error):
            return f"{damaged}: the message does not name {named}: {error}"
    else:
        return f"{damaged}: loaded"
    if damaged == "step_3" and (newest not in untouched or newest == "step_3" or damaged not in caplog.text):
        return f"{damaged}: taken as the newest, or not said: {caplog.text}"
    return "" if damaged != "step_3" or named in caplog.text else f"{damaged}: {named} is not said: {caplog.text}"


def manifest(path: Path) -> bytes:
    return (path / "manifest.json").read_bytes()


@pytest.mark.parametrize(
    "first",
    [
        *range(0, SHORT, BATCH),
        *(pytest.param(first, marks=pytest.mark.torture) for first in range(SHORT, CORRUPTIONS, BATCH)),
    ],
)
def test_every_damage_is_noticed_and_the_previous_good_checkpoint_is_taken(sound, tmp_path, caplog, first):
    caplog.set_level(logging.WARNING)
    missed = {}
    for seed in range(first, first + BATCH):
        place = tmp_path / str(seed)
        place.mkdir()
        flaw = is_unnoticed(sound, place / "checkpoints", seed, caplog)
        if flaw:
            missed[seed] = flaw
    assert missed == {}


def test_an_undamaged_folder_is_read_without_a_word(sound, caplog):
    caplog.set_level(logging.WARNING)
    store = CheckpointStore(sound)
    assert store.latest() == "step_3"
    assert [store.load(name).manifest.name for name in (*NAMES, *POINTERS)] == [*NAMES, "step_3", "step_2"]
    assert caplog.text == ""


def test_without_digests_the_damage_is_not_noticed(sound, tmp_path, caplog, monkeypatch):
    """The control: what is found above is found by the digests."""
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr("offline_trainer_core.record.files.FileReader.__exit__", close_without_comparing)
    flaws = []
    for seed in range(100):
        place = tmp_path / str(seed)
        place.mkdir()
        flaws.append(is_unnoticed(sound, place / "checkpoints", seed, caplog))
    assert sum(bool(flaw) for flaw in flaws) > 10


def close_without_comparing(reader, *exception):
    os.close(reader._descriptor)
