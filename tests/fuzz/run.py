"""Fuzzes `ot check`: `python tests/fuzz/run.py --inputs 1000000 --processes 2 --seed 0`.

Each process tries inputs of one target after another and is watched: one that dies, or makes no progress, is a finding
with its input, and another goes on in its place. What went wrong is left in the folder `--findings`.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SHARES = {"text": 0.2, "mutated": 0.77, "config": 0.03}
"""Of all inputs. Guided by coverage, an input takes three times as long; one of the strategies, ten times."""
PATIENCE = 60.0
"""Seconds without progress after which a process hangs."""
INTERVAL = 30.0
"""Seconds between two lines that say how far it is."""


@dataclass
class Job:
    """Some inputs of one target, in a process of their own."""

    target: str
    inputs: int
    seed: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def tried(self) -> int:
        """How many inputs were tried, to the last hundred."""
        count = self.folder / "count"
        return int(count.read_text() or 0) if count.exists() else 0

    @property
    def idle(self) -> float:
        """Seconds since the last input was written."""
        return time.time() - max(path.stat().st_mtime for path in (self.folder, self.folder / "here") if path.exists())


def start(target: str, inputs: int, seed: int, scratch: Path) -> Job:
    folder = Path(tempfile.mkdtemp(prefix=f"{target}-", dir=scratch))
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), target, str(inputs), str(seed), str(folder)]
    with (folder / "log").open("wb") as log:
        return Job(target, inputs, seed, folder, subprocess.Popen(command, stdout=log, stderr=log))


def fuzz(inputs: int, processes: int, seed: int, findings: Path) -> int:
    """Try `inputs` inputs and print what came of it; return how many kinds of things went wrong."""
    shutil.rmtree(findings, ignore_errors=True)
    began, said, tried = time.monotonic(), time.monotonic(), 0
    waiting = [
        (target, round(inputs * share / processes), seed * processes + number)
        for target, share in SHARES.items()
        for number in range(processes)
    ]
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        scratch, jobs = Path(folder), []
        while waiting or jobs:
            while waiting and len(jobs) < processes:
                jobs.append(start(*waiting.pop(0), scratch))
            time.sleep(0.2)
            for job in [job for job in jobs if job.process.poll() is not None or job.idle > PATIENCE]:
                jobs.remove(job)
                tried += job.tried
                waiting += ended(job, findings)
                say(f"{job.target} ended", tried, began, findings)
            if time.monotonic() - said > INTERVAL:
                said = time.monotonic()
                say("so far", tried + sum(job.tried for job in jobs), began, findings)
    kinds = sorted(path.name for path in findings.iterdir()) if findings.exists() else []
    print(f"{tried:,} inputs in {time.monotonic() - began:,.0f} s; went wrong: {', '.join(kinds) or 'nothing'}")
    return len(kinds)


def say(what: str, tried: int, began: float, findings: Path) -> None:
    """Print how many inputs were tried, and how many kinds of things went wrong in what has ended."""
    seconds = time.monotonic() - began
    wrong = len(list(findings.iterdir())) if findings.exists() else 0
    print(f"{what}: {tried:,} inputs, {tried / seconds:,.0f} a second; {wrong} kinds of findings", flush=True)


def ended(job: Job, findings: Path) -> list[tuple[str, int, int]]:
    """Collect what a process found, and what it died of; return what is left to try."""
    if (job.folder / "found").exists():
        shutil.copytree(job.folder / "found", findings, dirs_exist_ok=True)
    code = job.process.poll()
    if code is None:
        job.process.send_signal(signal.SIGABRT)  # faulthandler writes where it is
        job.process.wait()
    if code == 0:
        return []
    kind = "hang" if code is None else f"crash-{code}"
    kept = findings / f"{kind}-{job.target}-{job.seed}"
    shutil.copytree(job.folder / "here", kept, dirs_exist_ok=True) if (job.folder / "here").exists() else kept.mkdir(
        parents=True, exist_ok=True
    )
    shutil.copy(job.folder / "log", kept / "log.txt")
    left = job.inputs - max(1, job.tried)
    return [(job.target, left, job.seed + 1000)] if left > 0 and job.tried else []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    given = parser.parse_args()
    sys.exit(1 if fuzz(given.inputs, given.processes, given.seed, given.findings) else 0)
