"""The lives of a run: each is the same command, and ends by a kill or by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from mines import Orders, kill, members
from points import POINTS

__all__ = ["Configuration", "Death", "Life", "Run"]

HERE = Path(__file__).parent
PATIENCE = 120.0
"""Seconds that a life may take, and seconds in which a run must end that has lost a process."""


@dataclass(frozen=True)
class Configuration:
    """On how many processes a run trains, and how many workers load its data."""

    processes: int
    workers: int
    steps: int = 100

    def __str__(self) -> str:
        return f"{self.processes} process{'es' if self.processes > 1 else ''}, {self.workers} workers"

    def passes(self, point: str) -> bool:
        """Whether a run like this ever comes by `point`."""
        kind = POINTS[point].processes
        return not (kind == "second" and self.processes < 2) and not (kind == "worker" and self.workers == 0)


@dataclass(frozen=True)
class Death:
    """How a life is to end: at a named point, or at an instant, where `moment` in [0, 1) is a part of its duration."""

    point: str = ""
    ordinal: int = 1
    moment: float = 0.0
    rank: int = 0
    alone: bool = False
    """Whether one process is killed, and the others are left to notice."""

    @property
    def phase(self) -> str:
        return POINTS[self.point].phase if self.point else "loop"


@dataclass
class Life:
    """What became of one start of the command."""

    death: Death | None
    began_from: int
    """The step of the newest good checkpoint when it began; -1 where there was none."""
    killed: bool = False
    hung: bool = False
    code: int = 0
    seconds: float = 0.0
    output: str = ""
    published: list[Path] = field(default_factory=list)
    """The manifests of the checkpoints that it published, in order."""

    @property
    def ended(self) -> bool:
        """Whether it came to an end by itself, though one of its processes may have been killed."""
        return not self.hung and self.code >= 0


class Run:
    """A run in a folder of its own, which lives until it is finished."""

    def __init__(self, folder: Path, configuration: Configuration, start: Path = HERE / "experiment") -> None:
        """Begin from a copy of the folder `start`: that of the experiment, or of a run that was killed."""
        shutil.copytree(start, folder, ignore=shutil.ignore_patterns("__pycache__"))
        self.folder, self.configuration = folder, configuration
        self.dir = folder / "runs" / "tortured"

    @property
    def command(self) -> list[str]:
        asked = self.configuration
        overrides = [f"data.num_workers={asked.workers}", f"trainer.max_steps={asked.steps}"]
        nproc = ["--nproc", str(asked.processes)] if asked.processes > 1 else []
        return [str(Path(sys.executable).with_name("ot")), "run", "torture.yaml", *overrides, *nproc, "--resume"]

    def live(self, death: Death | None, began_from: int = -1, expected: float = 0.0, fault: str = "") -> Life:
        """Start the command and let it die as `death` says, or go on to its end; `expected` is how long it may take."""
        life = Life(death, began_from)
        witness = self.folder / f"life-{len(list(self.folder.glob('life-*')))}"
        witness.mkdir()
        planned = death or Death()
        orders = Orders(str(witness), planned.point, planned.ordinal, planned.rank, planned.alone, fault)
        self._start(life, orders, f"{self.folder}/{witness.name}", planned.moment * expected)
        life.published = sorted(witness.glob("*-step_*.json"), key=lambda path: int(path.name.split("-")[0]))
        return life

    def _start(self, life: Life, orders: Orders, mark: str, instant: float) -> None:
        began = time.monotonic()
        log = Path(orders.witness, "output.txt")
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=_environment(orders, mark),
                stdout=output,
                stderr=output,
                start_new_session=True,  # it is killed as a group
            )
            if instant:
                _sleep_until(process, began + instant)
                life.killed = process.poll() is None and _strike(life.death, mark)
            life.hung = not _ends(process, PATIENCE)
            kill(members(mark))  # workers that a killed process left behind, and what hangs
            life.code = process.wait()
        life.seconds = time.monotonic() - began
        life.killed = life.killed or Path(orders.witness, "hit").exists()
        life.output = log.read_text(errors="replace")


def _environment(orders: Orders, mark: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(HERE / "planted"), os.environ.get("PYTHONPATH")]))
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OT_", "PYTEST", "COV_"))}
    return {**kept, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **orders.environment(mark)}


def _sleep_until(process: subprocess.Popen[bytes], instant: float) -> None:
    while process.poll() is None and time.monotonic() < instant:
        time.sleep(max(0.0, min(0.01, instant - time.monotonic())))


def _strike(death: Death | None, mark: str) -> bool:
    """Kill every process of a life at once, or one with its workers; return whether there was anything to kill."""
    victims = members(mark)
    if death is not None and death.alone:
        of_rank = [process for process in victims if _rank(process) == death.rank]
        victims = of_rank or victims  # before its processes have started, it dies as a whole
    kill(victims)
    return bool(victims)


def _rank(process: int) -> int | None:
    try:
        variables = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    return next((int(text[5:]) for text in variables if text.startswith(b"RANK=")), None)


def _ends(process: subprocess.Popen[bytes], patience: float) -> bool:
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        return False
    return True
