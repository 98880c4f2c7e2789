"""`ot runs` says how every run stands, and what of a record it cannot read."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.record import list_runs
from offline_trainer_core.record.pointers import write_pointer

Record = Callable[..., Path]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Return a function that leaves the record of a run, as `ot run` does."""

    def leave(place: str, metrics: str = "", **status: Any) -> Path:
        folder = tmp_path / place
        (folder / "checkpoints" / "step_00000010").mkdir(parents=True)
        write_pointer(folder / "checkpoints" / "last", "step_00000010")
        (folder / "config.yaml").write_text("run: {name: a}\n")
        (folder / "overrides.json").write_text("[]")
        (folder / "metrics.jsonl").write_text(metrics)
        known = {"status": "finished", "step": 10, "total_steps": 10, "time": ago(0), "started": ago(0)}
        (folder / "status.json").write_text(json.dumps({**known, **status}))
        return folder

    return leave


def ago(seconds: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat(timespec="seconds")


def line(step: int, stage: str, **metrics: float | str) -> str:
    return json.dumps({"step": step, "stage": stage, "time": 1.0, **metrics}) + "\n"


def rows(printed: str) -> list[str]:
    return [" ".join(row.split()) for row in printed.splitlines()[1:]]


def test_a_row_says_all_that_one_asks_first(record: Record, ot: Any) -> None:
    record("runs/a", time=ago(200), started=ago(7400), best_metric="val/loss", best_value=0.123456)
    done = ot("runs")
    assert done.returncode == 0
    header = done.stdout.splitlines()[0]
    assert " ".join(header.split()) == "run status steps metric newest checkpoint age duration"
    assert rows(done.stdout) == ["runs/a finished 10/10 val/loss 0.1235 step_00000010 3 min 2 h"]


@pytest.mark.parametrize(("seconds", "words"), [(7, r"\d s"), (200, "3 min"), (7300, "2 h"), (5 * 86400, "5 d")])
def test_ages_are_said_as_people_say_them(record: Record, ot: Any, seconds: float, words: str) -> None:
    record("runs/a", time=ago(seconds), started=ago(seconds))
    assert re.fullmatch(f"runs/a finished 10/10 step_00000010 {words} 0 s", rows(ot("runs").stdout)[0])


def test_runs_are_found_below_folders_and_by_their_own_path(record: Record, ot: Any, tmp_path: Path) -> None:
    for place in ("runs/a", "runs/team/b", "elsewhere/c", "runs/1/2/3/4/5/deep", "runs/.hidden/d"):
        record(place)
    (tmp_path / "runs/foreign").mkdir()
    (tmp_path / "runs/foreign/config.yaml").write_text("x: 1\n")
    (tmp_path / "runs/link").symlink_to(tmp_path / "elsewhere")
    assert [row.split()[0] for row in rows(ot("runs", "--sort", "name").stdout)] == ["runs/a", "runs/team/b"]
    both = rows(ot("runs", "elsewhere/c", "runs/a", "--sort", "name").stdout)
    assert [row.split()[0] for row in both] == ["elsewhere/c", "runs/a"]


def test_a_run_whose_process_is_gone_was_killed(record: Record, ot: Any) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, gone.pid, os.WEXITED | os.WNOWAIT)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    here = {"status": "running", "host": platform.node()}
    record("runs/dead", pid=dead.pid, **here)
    record("runs/unburied", pid=gone.pid, **here)
    record("runs/alive", pid=os.getpid(), **here)
    record("runs/reused", pid=os.getpid(), **{**here, "started": ago(10**6)})
    record("runs/remote", status="running", pid=gone.pid, host="gpu-07")
    record("runs/old", status="running")
    record("runs/odd", pid=10**30, **{**here, "started": "yesterday"})
    record("runs/undated", pid=os.getpid(), **{**here, "started": "", "time": ""})
    shown = {row.split()[0]: row for row in rows(ot("runs").stdout)}
    assert shown["runs/dead"].startswith("runs/dead killed 10/10")
    assert shown["runs/unburied"].startswith("runs/unburied killed 10/10")
    assert shown["runs/alive"].startswith("runs/alive running 10/10")
    assert shown["runs/reused"].startswith("runs/reused killed 10/10")
    assert shown["runs/remote"].startswith("runs/remote running (gpu-07) 10/10")
    for name in ("runs/old", "runs/odd", "runs/undated"):
        assert shown[name].startswith(f"{name} killed 10/10")
    gone.wait()


def test_what_cannot_be_read_is_one_line_and_no_obstacle(record: Record, ot: Any) -> None:
    record("runs/good")
    for name, content in {"cut": '{"status": "run', "list": "[1]", "nest": "[" * 100_000}.items():
        (record(f"runs/{name}", line(7, "val", loss=0.5)) / "status.json").write_text(content)
    (record("runs/nothing") / "status.json").unlink()
    binary = record("runs/binary")
    (binary / "status.json").write_bytes(b"\xff\x00" * 1000)
    (binary / "metrics.jsonl").write_bytes(b"\xff\x00\n" * 1000)
    (binary / "checkpoints" / "last").write_bytes(b"\xff../../..\n")
    (record("runs/folder") / "metrics.jsonl").unlink()
    (binary.parent / "folder" / "metrics.jsonl").mkdir()
    done = ot("runs", "--sort", "name")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert len(rows(done.stdout)) == 7
    assert "runs/cut unknown 7 val/loss 0.5" in rows(done.stdout)[1]
    warned = done.stderr.splitlines()
    assert [text.split(": ")[1] for text in warned] == [
        f"runs/{name}" for name in ("binary", "cut", "folder", "list", "nest", "nothing")
    ]
    assert warned[0] == "warning: runs/binary: status.json is missing or cannot be read"
    assert warned[2].startswith("warning: runs/folder: metrics.jsonl cannot be read")


def test_the_step_and_the_loss_are_read_from_the_end_of_the_metrics(record: Record, ot: Any) -> None:
    text = "".join(line(step, "train", loss=1 / step) for step in range(1, 20_000)) + line(19_999, "val", loss=0.25)
    record("runs/killed", text + line(20_000, "train", loss=0.5) + '{"step": 20001, "sta', status="failed", step=3)
    assert rows(ot("runs").stdout)[0].startswith("runs/killed failed 20,000/10 val/loss 0.25")


@pytest.mark.parametrize(
    ("metric", "shown"),
    [("train/loss", "train/loss 0.5"), ("loss", "val/loss 0.25"), ("success", "eval/success inf"), ("x", "")],
)
def test_any_metric_can_be_asked_for(record: Record, ot: Any, metric: str, shown: str) -> None:
    text = line(1, "val", loss=9) + line(2, "val", loss=0.25) + line(3, "eval", success="inf")
    record("runs/a", text + line(4, "train", loss=0.5), best_metric="val/other", best_value=3)
    row = rows(ot("runs", "--metric", metric).stdout)[0]
    assert row.startswith(f"runs/a finished 10/10 {shown}".strip() + " step_")


def test_runs_are_chosen_sorted_and_limited(record: Record, ot: Any) -> None:
    for name, age, step, value in (("old", 900, 30, 0.2), ("new", 5, 10, None), ("mid", 90, 20, 0.1)):
        record(f"runs/{name}", time=ago(age), step=step, best_metric="val/loss", best_value=value)
    record("runs/bad", status="failed", time=ago(1))

    def names(*options: str) -> list[str]:
        return [row.split()[0].removeprefix("runs/") for row in rows(ot("runs", *options).stdout)]

    assert names() == ["bad", "new", "mid", "old"]
    assert names("--status", "finished") == ["new", "mid", "old"]
    assert names("--status", "finished", "--sort", "steps") == ["old", "mid", "new"]
    assert names("--status", "finished", "--sort", "metric") == ["mid", "old", "new"]
    assert names("--limit", "2", "--reverse") == ["old", "mid"]


def test_json_has_the_same_for_programs(record: Record, ot: Any, tmp_path: Path) -> None:
    record("runs/a", line(3, "val", loss="nan"), reason="SIGTERM", status="stopped")
    (shown,) = json.loads(ot("runs", "--format", "json").stdout)
    (found,) = list_runs(tmp_path / "runs")
    assert (shown["dir"], shown["status"], shown["value"], shown["reason"]) == ("runs/a", "stopped", "nan", "SIGTERM")
    assert (found.dir, found.status, found.step) == (tmp_path / "runs/a", "stopped", 10)
    assert found.updated == shown["updated"]


def test_colours_are_for_those_who_want_them(record: Record, ot: Any) -> None:
    record("runs/a")
    assert "\x1b[32mfinished\x1b[0m" in ot("runs", env={"FORCE_COLOR": "1"}).stdout
    assert "\x1b" not in ot("runs").stdout


def test_no_runs_and_no_folder_are_said(ot: Any, tmp_path: Path) -> None:
    missing = ot("runs")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "error: there is no folder 'runs'; name the folders that hold your runs: ot runs DIR...\n"
    (tmp_path / "runs").mkdir()
    empty = ot("runs")
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", "no such run in runs\n")


def test_little_is_read_of_a_long_history(record: Record) -> None:
    folder = record("runs/long", line(1, "train", loss=1.0) * 200_000, best_metric="val/loss", best_value=1.0)
    read = bytes_read(f"from offline_trainer_core.record import list_runs; assert list_runs({str(folder)!r})")
    assert (folder / "metrics.jsonl").stat().st_size > 10_000_000
    assert read - bytes_read("import offline_trainer_core.record, offline_trainer_core.record.listing") < 200_000


def bytes_read(code: str) -> int:
    """Return how many bytes a fresh process reads to run `code`."""
    io = Path("/proc/self/io")
    if not io.exists():
        pytest.skip("this system does not tell what a process reads")
    script = f"{code}\nprint(open('/proc/self/io').readline().split()[1])"
    return int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def test_listing_loads_no_torch(record: Record, ot: Any) -> None:
    record("runs/a")
    environment: Mapping[str, str] = {"PYTHONPROFILEIMPORTTIME": "1"}
    imported = ot("runs", env=environment).stderr
    assert "offline_trainer_core.record.listing" in imported
    assert "torch" not in {text.rpartition("|")[2].strip() for text in imported.splitlines()}
