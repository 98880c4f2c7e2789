"""Wraps the functions of a run so that it dies where it was told to, forgets what it was told to, and is witnessed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial, wraps
from itertools import count
from pathlib import Path
from typing import Any

from faults import FAULTS
from points import POINTS, SAVED, Point

__all__ = ["Orders", "kill", "members", "plant"]

LIFE = "TORTURE_LIFE"
"""The environment variable by which the processes of a life are found."""


@dataclass(frozen=True)
class Orders:
    """What is to happen to a run. Everything that must be known of it afterwards lies in the folder `witness`."""

    witness: str
    point: str = ""
    ordinal: int = 1
    """Which of the passes at `point` is the last."""
    rank: int = 0
    alone: bool = False
    """Whether that process is killed and no other."""
    fault: str = ""

    def environment(self, life: str) -> dict[str, str]:
        return {"TORTURE": json.dumps(asdict(self)), LIFE: life}

    @classmethod
    def read(cls, text: str) -> Orders:
        return cls(**json.loads(text))


def plant(orders: Orders) -> None:
    """Prepare this process for what it was ordered; the launcher of several processes is left alone."""
    rank = int(os.environ.get("RANK", "0"))
    acts: dict[str, list[Callable[[Any], None]]] = {}
    if rank == 0:
        for operation in OPERATIONS["rename"]:
            setattr(os, operation, _witnessed(getattr(os, operation), Path(orders.witness)))
    if orders.fault:
        for target, change in FAULTS[orders.fault].items():
            module, _, name = target.partition(":")
            acts.setdefault(module, []).append(partial(_swap, name=name, change=change))
    if orders.point and rank == orders.rank:
        point = POINTS[orders.point]
        module, _, name = point.target.partition(":")
        mine = _Mine(point, orders)
        if module == "file":
            for operation in OPERATIONS[name]:
                setattr(os, operation, mine.around(getattr(os, operation), PLACES[name]))
        else:
            acts.setdefault(module, []).append(partial(_swap, name=name, change=mine.around))
    sys.meta_path.insert(0, _Imports(acts))


class _Imports:
    """Lets `acts[module]` change the module as soon as it is imported, before others take names out of it."""

    def __init__(self, acts: dict[str, list[Callable[[Any], None]]]) -> None:
        self._acts = acts

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self._acts:
            return None
        found = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_change(module: Any) -> None:
                execute(module)
                for act in self._acts.pop(name, ()):
                    act(module)

            spec.loader.exec_module = execute_and_change  # type: ignore[method-assign]
        return spec


def _swap(module: Any, name: str, change: Callable[[Any], Any]) -> None:
    *path, last = name.split(".")
    owner = module
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, last, change(getattr(owner, last)))


def _path_of(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _path_below(path: Any, dir_fd: int | None = None, **others: Any) -> str:
    return os.path.join(_path_of(dir_fd), path) if dir_fd is not None else os.path.abspath(path)


PLACES: dict[str, Callable[..., str]] = {
    "fsync": _path_of,
    "mkdir": lambda path, *others, **options: _path_below(path, **options),
    "rename": lambda source, target, **options: os.path.abspath(target),
    "unlink": _path_below,
    "write": lambda descriptor, data: _path_of(descriptor),
}
"""What file an operation is about, by its arguments."""
OPERATIONS = {"rename": ("replace", "rename"), **{name: (name,) for name in ("fsync", "mkdir", "unlink", "write")}}


class _Mine:
    """Counts the passes at a point, and kills at the one that was ordered."""

    def __init__(self, point: Point, orders: Orders) -> None:
        self._point, self._orders = point, orders
        self._passes = count(1)
        self._worker_of = os.getpid() if point.processes == "worker" else None

    def around(self, function: Callable[..., Any], place: Callable[..., str] | None = None) -> Callable[..., Any]:
        @wraps(function)
        def mined(*args: Any, **kwargs: Any) -> Any:
            if not self._deadly(place, *args, **kwargs):
                return function(*args, **kwargs)
            if self._point.when == "after":
                function(*args, **kwargs)
            if self._point.when == "torn":
                _tear(*args)
            return self._explode()

        return mined

    def _deadly(self, place: Callable[..., str] | None, *args: Any, **kwargs: Any) -> bool:
        point = self._point
        if self._worker_of == os.getpid():
            return False
        if place is not None and not re.search(point.path, place(*args, **kwargs)):
            return False
        if point.only is not None and not point.only(*args, **kwargs):
            return False
        return next(self._passes) == self._orders.ordinal

    def _explode(self) -> None:
        Path(self._orders.witness, "hit").touch()
        if self._worker_of is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        kill([os.getpid()] if self._orders.alone else members(os.environ[LIFE]))


def _tear(descriptor: int, data: bytes = b"") -> None:
    """Leave half of a file, or of what is being written to it."""
    if data:
        os.pwrite(descriptor, data[: len(data) // 2], os.fstat(descriptor).st_size)
    else:
        os.truncate(_path_of(descriptor), os.fstat(descriptor).st_size // 2)


def _witnessed(rename: Callable[..., Any], witness: Path) -> Callable[..., Any]:
    """Keep the manifest of every checkpoint that is published: it may be deleted before anybody looks."""

    @wraps(rename)
    def renamed(source: Any, target: Any, **options: Any) -> Any:
        done = rename(source, target, **options)
        if re.search(SAVED, os.path.abspath(target)) and ".saving" in str(source):
            number = len(list(witness.glob("*.json")))
            shutil.copy(Path(target, "manifest.json"), witness / f".{number}")
            rename(witness / f".{number}", witness / f"{number}-{Path(target).name}.json")
        return done

    return renamed


def members(life: str) -> list[int]:
    """Return the processes of a life."""
    mark = f"{LIFE}={life}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # it is gone, or another user's
    return found


def kill(processes: Iterable[int]) -> None:
    """Kill `processes` with their groups, this one's last: nobody is left for a moment to wonder at a dead worker."""
    groups = set()
    for process in processes:
        with suppress(ProcessLookupError):
            groups.add(os.getpgid(process))
    for group in sorted(groups, key=os.getpgrp().__eq__):
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
