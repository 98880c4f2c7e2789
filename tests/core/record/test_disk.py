"""A disk that fails or is full, at any operation of a save, leaves the previous checkpoint."""

import errno
import os
import subprocess

import pytest
import torch

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record import CheckpointStore

pytestmark = pytest.mark.slow
OPERATIONS = [
    (os, "open"),
    (os, "fsync"),
    (os, "replace"),
    (os, "mkdir"),
    (os, "write"),
]
COUNTERS = {"global_step": 1}


class Disk:
    """Counts the operations of a save and lets the n-th one, and all after it, fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.fail_at = self.last = float("inf")
        self.error = errno.ENOSPC
        for module, name in OPERATIONS:
            monkeypatch.setattr(module, name, self._counted(getattr(module, name)))

    def _counted(self, operation):
        def call(*args, **kwargs):
            self.count += 1
            if self.fail_at <= self.count <= self.last:
                raise OSError(self.error, os.strerror(self.error))
            return operation(*args, **kwargs)

        return call

    def fail(self, at: float, last: float = float("inf"), error: int = errno.ENOSPC) -> None:
        self.count, self.fail_at, self.last, self.error = 0, at, last, error


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def operations_of_a_save(disk, store, state, name):
    disk.fail(at=float("inf"))
    store.save(name, state(2), counters=COUNTERS)
    return disk.count


@pytest.mark.parametrize("once", [True, False], ids=["once", "from-then-on"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
@pytest.mark.parametrize("name", ["step_2", "step_1"], ids=["new", "replacing"])
def test_the_previous_checkpoint_survives_a_failure_of_any_operation(
    disk, tmp_path, state, assert_same, name, error, once
):
    trial = CheckpointStore(tmp_path / "trial")
    trial.save("step_1", state(1), counters=COUNTERS)
    total = operations_of_a_save(disk, trial, state, name)
    assert total > 10
    failures = [
        n
        for n in range(1, total + 1)
        if save_fails(
            disk, CheckpointStore(tmp_path / f"at_{n}"), state, assert_same, name, n, n if once else total, error
        )
    ]
    # A save can do without three: making a folder that is there, reading the last manifest, removing what was replaced.
    assert len(failures) >= total - 3


def save_fails(disk, store, state, assert_same, name, first, last, error) -> bool:
    """Save twice, the second time on a disk that fails; check that a good checkpoint is left, and save a third time."""
    disk.fail(at=float("inf"))
    store.save("step_1", state(1), counters=COUNTERS)
    disk.fail(at=first, last=last, error=error)
    failure = ""
    try:
        store.save(name, state(2), counters=COUNTERS)
    except CheckpointError as caught:
        failure = str(caught)
        assert ("the disk is full" if error == errno.ENOSPC else "Input/output error") in failure
    disk.fail(at=float("inf"))
    loaded = store.load(store.latest()).state
    # A failure after the last rename concerns what is there already.
    assert_same(loaded, state(loaded["counters"]["global_step"]))
    assert failure or loaded["counters"]["global_step"] == 2
    store.save("step_3", state(3), counters=COUNTERS)
    assert_same(store.load("last").state, state(3))
    assert {path.name for path in store.dir.iterdir()} <= {"last", "step_1", "step_2", "step_3"}
    return bool(failure)


def test_the_failing_disk_can_be_seen_to_fail(disk, store, state):
    disk.fail(at=1)
    with pytest.raises(CheckpointError, match="What was saved before is intact"):
        store.save("step_1", state(1), counters=COUNTERS)
    assert store.latest() is None


def test_a_truly_full_disk_is_named_and_costs_nothing(tmp_path, assert_same):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a file system of limited size cannot be mounted here")
    try:
        store = CheckpointStore(small / "checkpoints")
        kept = {"models.policy": {"w": torch.ones(1 << 18)}}
        store.save("step_1", kept, counters=COUNTERS)
        with pytest.raises(CheckpointError, match=r"the disk is full \(.* MiB free\)"):
            store.save("step_2", {"models.policy": {"w": torch.ones(1 << 20)}}, counters=COUNTERS)
        assert_same(store.load("last").state, kept)
        assert store.names() == ["step_1"]
        store.save("step_3", kept, counters=COUNTERS)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
