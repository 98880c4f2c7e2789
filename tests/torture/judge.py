"""Compares a run that was killed with the one that was not, bit for bit."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xxhash

__all__ = ["Reference", "damaged", "newest_good", "step_of"]

Line = dict[str, Any]


class Reference:
    """What the run that was never interrupted left behind: every checkpoint that it published, and every number."""

    def __init__(self, run: Path, published: Iterable[Path]) -> None:
        self.manifests: dict[str, list[Line]] = {}
        for path in published:
            self.manifests.setdefault(_name(path), []).append(state_of(path))
        self.numbers = numbers(run)
        self.kept = kept(run)

    def differences(self, published: Path) -> list[str]:
        """Return what a published checkpoint has otherwise than the reference's of the same step; nothing if equal.

        A step may be saved twice: again at the end, when it was the best.
        """
        name, found = _name(published), state_of(published)
        expected = self.manifests.get(name, [])
        if found in expected:
            return []
        if not expected:
            return [f"{name} is one that the reference has not"]
        files = found.keys() | expected[-1].keys()
        return [f"{name}: {file}" for file in sorted(files) if found.get(file) != expected[-1].get(file)]

    def differences_at_end(self, run: Path) -> list[str]:
        """Return what a finished run has otherwise than the reference: numbers, checkpoints, status."""
        found = numbers(run)
        different = [place for place, lines in self.numbers.items() if found[place] != lines]
        different += [f"{name} on the disk" for name in kept(run) ^ self.kept]
        different += damaged(run)
        status = json.loads((run / "status.json").read_text())["status"]
        return different + ([] if status == "finished" else [f"status {status}"])


def _name(published: Path) -> str:
    return published.stem.split("-", 1)[1]


def state_of(manifest: Path) -> Line:
    """Return what a manifest says of the state: the digest of every file, and the counters."""
    content = json.loads(manifest.read_text())
    return {**content["files"], "counters": content["counters"], "world_size": content["world_size"]}


def step_of(name: str) -> int:
    return int(name.rsplit("_", 1)[1])


def checkpoints(run: Path) -> list[Path]:
    """Return the folders of all published checkpoints."""
    return sorted(run.glob("checkpoints/step_*"))


def damage_of(checkpoint: Path) -> str:
    """Return what is wrong with a checkpoint on the disk by its own manifest; nothing if it is good."""
    try:
        files = json.loads((checkpoint / "manifest.json").read_bytes())["files"]
    except (OSError, ValueError) as error:
        return str(error)
    for name, entry in files.items():
        path = checkpoint / name
        if not path.is_file() or xxhash.xxh3_128_hexdigest(path.read_bytes()) != entry["xxh3_128"]:
            return f"{name} is not what was written"
    return ""


def damaged(run: Path) -> list[str]:
    """Return which published checkpoints are damaged, and how: a kill must not leave any."""
    return [f"{path.name}: {damage}" for path in checkpoints(run) if (damage := damage_of(path))]


def newest_good(run: Path) -> int:
    """Return the step of the newest good checkpoint, found without the code that is judged; -1 if there is none."""
    return max((step_of(path.name) for path in checkpoints(run) if not damage_of(path)), default=-1)


def kept(run: Path) -> set[str]:
    """Return the names of the checkpoints that are there at the end, and what `last` and `best` say."""
    names = {path.name for path in checkpoints(run)}
    pointers = {path: run / "checkpoints" / path for path in ("last", "best")}
    return names | {f"{name} -> {path.read_text().strip()}" for name, path in pointers.items() if path.exists()}


def numbers(run: Path) -> dict[str, list[Any]]:
    """Return everything that was logged, by its place: the record, and what every logger wrote."""
    return {
        "metrics.jsonl": [_timeless(line) for line in _json_lines(run / "metrics.jsonl")],
        "log.jsonl": _json_lines(run / "log.jsonl"),
        "metrics.csv": list(csv.DictReader((run / "metrics.csv").read_text().splitlines())),
        "tensorboard": _events(run / "tensorboard"),
    }


def _json_lines(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _timeless(line: Line) -> Line:
    return {name: value for name, value in line.items() if name != "time"}


def _events(folder: Path) -> list[tuple[str, int, float]]:
    """Return what TensorBoard shows: (tag, step, value) of every point."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    reader.Reload()
    tags = sorted(reader.Tags()["scalars"])
    return [(tag, point.step, point.value) for tag in tags for point in reader.Scalars(tag)]
