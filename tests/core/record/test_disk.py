"""A disk that fails or is full, at any operation, leaves the previous checkpoint and says what to do."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from offline_trainer_core.errors import CheckpointError, DeviceError
from offline_trainer_core.record import CheckpointStore, RecordLogger, RunFolder, exclusive, read_metrics
from offline_trainer_core.types import RunInfo

pytestmark = pytest.mark.slow
OPERATIONS = ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir")
ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO, "forbidden": errno.EACCES, "interrupted": errno.EINTR}
COUNTERS = {"global_step": 1}


class Disk:
    """Counts the operations that change the disk; lets those from the `first` to the `last` fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.failed = 0, 0
        self.short_writes = False
        self.heal()
        for name in OPERATIONS:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name), name))

    def _counted(self, operation, name):
        def call(*args, **kwargs):
            if name == "open" and not args[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return operation(*args, **kwargs)
            self.count += 1
            if self.first <= self.count <= self.last:
                self.failed += 1
                raise OSError(self.error, os.strerror(self.error))
            if name == "write" and self.short_writes:
                return operation(args[0], args[1][: max(1, len(args[1]) // 2)])
            return operation(*args, **kwargs)

        return call

    def fail(self, first: float, last: float, error: int) -> None:
        self.count, self.failed, self.first, self.last, self.error = 0, 0, first, last, error

    def heal(self) -> None:
        self.fail(float("inf"), float("inf"), 0)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def save(store, state):
    store.save("step_3", state(3), counters={"global_step": 3})


def save_asynchronously(store, state):
    store.save("step_3", state(3), counters={"global_step": 3}, asynchronous=True)
    store.wait()


def replace(store, state):
    store.save("step_2", state(3), counters={"global_step": 3})


def mark_best(store, state):
    store.mark_best("step_1")


def delete(store, state):
    store.delete("step_1")


def prune(store, state):
    store.prune(keep_last=1)


ACTIONS = [save, save_asynchronously, replace, mark_best, delete, prune]


def opened(folder: Path, state) -> CheckpointStore:
    """Return a store of two checkpoints, of which the second is the best."""
    store = CheckpointStore(folder)
    for step in (1, 2):
        store.save(f"step_{step}", state(step), counters={"global_step": step})
    store.mark_best("step_2")
    return store


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        ("full", False),
        ("full", True),
        ("broken", False),
        ("broken", True),
        ("forbidden", False),
        ("interrupted", False),
    ],
)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_failure_of_any_operation_leaves_a_good_checkpoint(
    disk, tmp_path, state, assert_same, action, error, lasting
):
    trial = opened(tmp_path / "trial", state)
    disk.heal()
    action(trial, state)
    total = disk.count
    assert total >= (15 if "save" in action.__name__ else 3)
    for n in range(1, total + 1):
        store = opened(tmp_path / str(n), state)
        before = used(store.dir)
        disk.fail(n, 1000 if lasting else n, ERRORS[error])
        said = what_is_said(action, store, state)
        failed, _ = disk.failed, disk.heal()
        assert failed, f"operation {n} of {total} did not fail"
        assert said is None or ("\n" not in said and reason(ERRORS[error]) in said), said
        latest = store.load(store.latest())
        assert_same(latest.state, state(latest.manifest.counters["global_step"]))
        assert latest.manifest.counters["global_step"] >= 2
        assert store.load("last").manifest.counters["global_step"] >= 2
        assert store.best() in ("step_1", "step_2") or action is delete
        if action in (save, save_asynchronously) and latest.manifest.name == "step_2":
            assert said is not None
            assert used(store.dir) <= before or lasting
        store.save("step_4", state(4), counters={"global_step": 4})
        assert_same(store.load(store.latest()).state, state(4))
        leftovers = {path.name for path in store.dir.iterdir() if path.name.startswith(".") and path.is_dir()}
        assert leftovers == set()


def what_is_said(action, store, state) -> str | None:
    try:
        action(store, state)
    except CheckpointError as error:
        return str(error)
    return None


def reason(error: int) -> str:
    return "the disk is full" if error == errno.ENOSPC else os.strerror(error)


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_there_are_more_than_two_hundred_failures(disk, tmp_path, state):
    total = 0
    for action in ACTIONS:
        store = opened(tmp_path / action.__name__, state)
        disk.heal()
        action(store, state)
        total += disk.count
    assert total * 6 > 200


def test_the_message_of_a_failed_save_says_what_to_do(disk, store, state):
    disk.fail(1, 1000, errno.ENOSPC)
    advice = r"the disk is full.*\. What was saved before is intact: .* go on from there with --resume"
    with pytest.raises(CheckpointError, match=advice) as failed:
        store.save("step_1", state(1), counters=COUNTERS)
    assert failed.value.exit_code == 5
    assert store.latest() is None


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_system_that_writes_little_at_a_time_is_asked_again(disk, store, state, assert_same, asynchronous):
    disk.short_writes = True
    store.save("step_1", state(1), counters=COUNTERS, asynchronous=asynchronous)
    store.wait()
    assert_same(store.load("step_1").state, state(1))


@pytest.mark.parametrize("error", ERRORS)
def test_a_record_that_cannot_be_written_is_said_in_one_line_and_the_old_one_stays(disk, tmp_path, error):
    folder = RunFolder.create(tmp_path, "run")
    actions = {
        "config.yaml": lambda n: folder.write_config(f"a: {n}", sources={}),
        "plan.json": lambda n: folder.write_plan({"a": n}),
        "environment.json": lambda n: folder.write_environment({"a": n}),
        "status.json": lambda n: folder.set_status("running", n),
    }
    for name, action in actions.items():
        disk.heal()
        action(0)
        for n in range(1, disk.count + 1):
            before = (folder.dir / name).read_bytes()
            disk.fail(n, n, ERRORS[error])
            with pytest.raises(DeviceError, match=f"^cannot write [^\n]*: .*{reason(ERRORS[error])}[^\n]*$"):
                action(n)
            disk.heal()
            after = (folder.dir / name).read_bytes()
            assert after == before or str(n).encode() in after
            action(n)
    assert [path.name for path in folder.dir.iterdir() if path.name.startswith(".")] == []


def logged(folder: Path, resume_step: int | None) -> None:
    """Log step 2 into the metrics of `folder`, and close them."""
    logger = RecordLogger()
    logger.open(RunInfo("bc", folder), resume_step)
    try:
        logger.log_metrics({"loss": 0.5}, step=2, stage="train")
        logger.state_dict()
    finally:
        logger.close()


@pytest.mark.parametrize("error", ERRORS)
def test_metrics_that_cannot_be_written_are_said_in_one_line_and_the_old_ones_stay(disk, tmp_path, error):
    def begun(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        logger = RecordLogger()
        logger.open(RunInfo("bc", folder), None)
        logger.log_metrics({"loss": 1.0}, step=1, stage="train")
        logger.close()
        return folder

    trial = begun("trial")
    disk.heal()
    logged(trial, 1)
    total = disk.count
    assert total >= 7
    for n in range(1, total + 1):
        folder = begun(str(n))
        disk.fail(n, n, ERRORS[error])
        with pytest.raises(DeviceError, match=f"^cannot write [^\n]*metrics.jsonl: .*{reason(ERRORS[error])}[^\n]*$"):
            logged(folder, 1)
        assert disk.failed == 1
        disk.heal()
        assert [line["step"] for line in read_metrics(folder / "metrics.jsonl")] in ([1], [1, 2])
        logged(folder, 1)
        assert [line["step"] for line in read_metrics(folder / "metrics.jsonl")] == [1, 2]


def test_a_run_folder_that_cannot_be_locked_is_said_in_one_line(disk, tmp_path):
    disk.fail(1, 1, errno.EACCES)
    with (
        pytest.raises(DeviceError, match=r"^cannot write [^\n]*running.lock: .*Permission denied"),
        exclusive(tmp_path),
    ):
        pytest.fail("the folder is not locked")


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
        for asynchronous in (False, True):
            with pytest.raises(CheckpointError, match=r"the disk is full \(.* MiB free\)"):
                too_large(store, asynchronous)
            assert_same(store.load("last").state, kept)
            assert store.names() == ["step_1"]
        store.save("step_3", kept, counters=COUNTERS)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def too_large(store, asynchronous):
    store.save("step_2", {"models.policy": {"w": torch.ones(1 << 20)}}, counters=COUNTERS, asynchronous=asynchronous)
    store.wait()


LIMITED = """
import sys, torch
from pathlib import Path
from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record import CheckpointStore

store = CheckpointStore(Path(sys.argv[1]))
store.save("step_1", {"models.policy": {"w": torch.ones(1000)}}, counters={})
try:
    store.save("step_2", {"models.policy": {"w": torch.ones(1 << 20)}}, counters={})
except CheckpointError as error:
    print(error)
print(store.latest(), *sorted(path.name for path in store.dir.iterdir()))
"""


def test_a_limit_on_the_size_of_files_is_named(tmp_path):
    limit = 1 << 20
    finished = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
    )
    said, left = finished.stdout.splitlines()
    assert "larger than the system allows this process (see `ulimit -f`)" in said
    assert left == "step_1 last step_1"
