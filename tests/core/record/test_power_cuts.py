"""A model of the disk: whatever a power cut leaves of what was not synchronised, a good checkpoint is there.

A recorder notes every change that a real save makes. From the log the disk is built as it may be after a power cut at
any operation: the content of a file is certain once the file was synchronised, an entry of a folder once the folder
was. Of the rest any part may have come down: a file is empty, half or whole, and each change of a folder is there or
is not.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from offline_trainer_core.record import CheckpointStore

pytestmark = pytest.mark.slow
VARIANTS = 24
"""States that are tried for a power cut at one operation; many of them are the same."""
CHANGING = ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir")


class Recorder:
    """Stands between Python and the system, and writes the log of what changes below `root`."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.log: list[tuple] = []
        self.described: dict[int, str] = {}
        for name in CHANGING:
            monkeypatch.setattr(os, name, self._recorded(getattr(os, name), getattr(self, f"_{name}")))

    def _recorded(self, operation, note):
        def call(*args, **kwargs):
            result = operation(*args, **kwargs)
            note(result, *args, **kwargs)
            return result

        return call

    def _path(self, path, dir_fd=None) -> str:
        above = Path(os.readlink(f"/proc/self/fd/{dir_fd}")) if dir_fd is not None else Path()
        return str((above / path).relative_to(self.root))

    def _open(self, descriptor, path, flags=0, *rest, dir_fd=None):
        self.described[descriptor] = self._path(path, dir_fd) if dir_fd is None else ""
        if flags & os.O_CREAT:
            self.log.append(("create", self.described[descriptor]))

    def _write(self, count, descriptor, data):
        self.log.append(("write", self.described[descriptor], bytes(data[:count])))

    def _fsync(self, _, descriptor):
        self.log.append(("fsync", self.described[descriptor]))

    def _replace(self, _, source, target):
        self.log.append(("rename", self._path(source), self._path(target)))

    _rename = _replace

    def _mkdir(self, _, path, *rest):
        self.log.append(("mkdir", self._path(path)))

    def _unlink(self, _, path, dir_fd=None):
        self.log.append(("remove", self._path(path, dir_fd)))

    _rmdir = _unlink


@dataclass
class File:
    content: bytes = b""
    durable: bytes = b""


@dataclass
class Folder:
    entries: dict[str, File | Folder] = field(default_factory=dict)
    durable: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[dict[str, File | Folder | None]] = field(default_factory=list)

    def change(self, change: dict[str, File | Folder | None]) -> None:
        apply(self.entries, change)
        self.pending.append(change)


def apply(entries: dict, change: dict) -> None:
    for name, node in change.items():
        entries.pop(name, None)
        if node is not None:
            entries[name] = node


class Disk:
    """What the operations of a log leave, certain or not."""

    def __init__(self) -> None:
        self.root = Folder()

    def do(self, operation: str, path: str, *rest) -> None:
        above, name = self._at(os.path.dirname(path)), os.path.basename(path)
        if operation == "create":
            above.change({name: File()})
        elif operation == "mkdir":
            above.change({name: Folder()})
        elif operation == "remove":
            above.change({name: None})
        elif operation == "rename":
            assert os.path.dirname(rest[0]) == os.path.dirname(path)
            above.change({name: None, os.path.basename(rest[0]): above.entries[name]})
        elif operation == "write":
            above.entries[name].content += rest[0]
        elif operation == "fsync":
            self._synchronise(self._at(path))

    def after_a_power_cut(self, choose: Callable[[list], object]) -> dict[str, bytes | None]:
        """Return the paths that are there with their content, None for a folder; `choose` decides what came down."""
        return dict(left(self.root, "", choose))

    def _at(self, path: str):
        node = self.root
        for name in Path(path).parts:
            node = node.entries[name]
        return node

    def _synchronise(self, node: File | Folder) -> None:
        if isinstance(node, File):
            node.durable = node.content
        else:
            node.durable, node.pending = dict(node.entries), []


def left(node: File | Folder, path: str, choose):
    if isinstance(node, File):
        half = node.content[: len(node.content) // 2]
        yield path, node.durable if node.durable == node.content else choose([b"", half, node.content])
        return
    if path:
        yield path, None
    entries = dict(node.durable)
    for change in node.pending:
        if choose([False, True]):
            apply(entries, change)
    for name, below in entries.items():
        yield from left(below, f"{path}/{name}", choose)


def states_of(disk: Disk, seed: int) -> list[dict]:
    """Return what may be there: nothing of what is uncertain, all of it, and parts of it by chance."""
    dice = random.Random(seed)
    chances = [dice.choice for _ in range(VARIANTS - 2)]
    unique = {}
    for choose in (lambda options: options[0], lambda options: options[-1], *chances):
        state = disk.after_a_power_cut(choose)
        unique[tuple(sorted((path, content or b"") for path, content in state.items()))] = state
    return list(unique.values())


def build(folder: Path, state: dict) -> None:
    for path, content in state.items():
        place = folder / path.lstrip("/")
        if content is None:
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.write_bytes(content)


def state(step: int) -> dict:
    return {"models.policy": {"w": torch.full((50,), float(step))}, "rank0.generators": {"torch": torch.tensor(step)}}


def recorded_life(root: Path, monkeypatch) -> list[tuple]:
    """Save, mark, replace and prune; return the log, with what was promised where it was."""
    store = CheckpointStore(root / "checkpoints")
    with monkeypatch.context() as patch:
        recorder = Recorder(root, patch)

        def save(step, name=None, **options):
            store.save(name or f"step_{step}", state(step), counters={"global_step": step}, **options)
            store.wait()
            recorder.log.append(("promise", step))

        save(1)
        store.mark_best("step_1")
        recorder.log.append(("best", "step_1"))
        save(2, asynchronous=True)
        save(3, name="step_2")
        save(4)
        store.mark_best("step_4")
        recorder.log.append(("best", "step_4"))
        store.prune(keep_last=1)
        save(5, name="step_4")
        store.prune(keep_last=1)
    return recorder.log


@pytest.fixture
def life(tmp_path, monkeypatch):
    root = tmp_path / "recorded"
    root.mkdir()
    return recorded_life(root, monkeypatch)


def broken_promises(log: list[tuple], folder: Path) -> tuple[int, list[str]]:
    """Return how many states were tried, and what was not kept in them."""
    disk, promised, marked, tried, broken = Disk(), 0, set(), 0, []
    for number, (operation, *rest) in enumerate(log):
        if operation == "promise":
            promised = rest[0]
        elif operation == "best":
            marked = {rest[0]}
        else:
            disk.do(operation, *rest)
        if operation in ("promise", "best"):
            continue
        coming = next((rest[0] for kind, *rest in log[number:] if kind == "best"), None)
        for variant, remains in enumerate(states_of(disk, number)):
            place = folder / f"{number}-{variant}"
            place.mkdir(parents=True)
            build(place, remains)
            tried += 1
            flaw = flaw_of(CheckpointStore(place / "checkpoints"), promised, marked and {*marked, coming})
            if flaw:
                broken.append(f"after {number} operations, the last of them {operation} {rest[0]}: {flaw}")
    return tried, broken


def flaw_of(store: CheckpointStore, promised: int, marked: set) -> str:
    newest = store.latest()
    if newest is None:
        return "nothing is left" if promised else ""
    checkpoint = store.load(newest)
    step = checkpoint.manifest.counters["global_step"]
    if checkpoint.state["models.policy"]["w"].tolist() != [step] * 50:
        return "the checkpoint is a mixture"
    if step < promised:
        return f"step {step} is the newest, and {promised} was saved"
    if marked and store.best() not in marked:
        return f"the best is {store.best()}, and not one of {marked}"
    store.save("step_9", state(9), counters={"global_step": 9})
    return "" if store.latest() == "step_9" else "the next save is not the newest"


def test_every_power_cut_leaves_what_was_promised(life, tmp_path):
    tried, broken = broken_promises(life, tmp_path / "cut")
    assert broken == []
    assert tried >= 1000


@pytest.mark.parametrize("left_out", ["files", "folders"])
def test_a_save_that_does_not_synchronise_is_found_out(life, tmp_path, left_out):
    """The control: without these operations the promise would not hold."""
    folders = {rest[0] for operation, *rest in life if operation == "mkdir"} | {"."}
    skipped = [
        entry for entry in life if not (entry[0] == "fsync" and (entry[1] in folders) == (left_out == "folders"))
    ]
    assert len(skipped) < len(life)
    assert broken_promises(skipped[: len(skipped) // 3], tmp_path / "cut")[1]
