"""In what the environment of a repeated run differs from that of the original."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from offline_trainer_core.run.recipe import Recipe
from offline_trainer_core.types import RunInfo

__all__ = ["EnvironmentChange", "environment_changes"]

_NAMES = {
    "python.version": "Python",
    "torch.version": "torch",
    "torch.cuda": "CUDA",
    "torch.cudnn": "cuDNN",
    "torch.devices": "GPUs",
    "torch.threads": "threads",
    "os.platform": "system",
    "os.machine": "machine",
    "os.cpus": "CPUs",
    "host": "host",
    "git.commit": "git commit",
}
"""What of `environment.json` is compared, and how people call it."""


class EnvironmentChange(NamedTuple):
    """One thing that is not as it was."""

    name: str
    then: str
    now: str


def environment_changes(recipe: Recipe, info: RunInfo) -> list[EnvironmentChange]:
    """Return in what the environment of the original run, and that of its repetition `info`, differ."""
    before, after = (_recorded(folder) for folder in (recipe.original, recipe.dir))
    changes = [*_named(before, after), *_uncommitted(before, after), *_deeper(recipe, info, before)]
    return [EnvironmentChange(name, _in_words(then), _in_words(now)) for name, then, now in changes]


def _named(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for path, name in _NAMES.items():
        then, now = (_at(environment, path) for environment in (before, after))
        if then != now:
            yield name, then, now
    packages = (environment.get("distributions") or {} for environment in (before, after))
    then, now = packages
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            yield name, then.get(name), now.get(name)


def _uncommitted(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    then, now = (_at(environment, "git.diff") or "" for environment in (before, after))
    if then != now:
        lines = [f"{text.count(chr(10))} lines" if text else "none" for text in (then, now)]
        yield "uncommitted changes", lines[0], lines[1] if lines[0] != lines[1] else f"{lines[1]}, others"


def _deeper(recipe: Recipe, info: RunInfo, before: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield what only a checkpoint tells: on which device it was made, and through which resumes the run went."""
    manifest = recipe.manifest
    if manifest is None:
        return
    said = {"Python", "torch", "CUDA", "cuDNN", "machine", "threads"} if before else set()
    for name, now in info.environment.items():
        then = manifest.environment.get(name, now)
        if name not in said and then != now:
            yield name, then, now
    if manifest.world_size != info.world_size:
        yield "processes", manifest.world_size, info.world_size
    if manifest.resumes:
        resumes = (f"at step {resume['step']} ({resume['level']})" for resume in manifest.resumes)
        yield "resumed", ", ".join(resumes), "from the first step on"


def _recorded(folder: Path) -> Mapping[str, Any]:
    try:
        content = json.loads((folder / "environment.json").read_bytes())
    except (OSError, RecursionError, ValueError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _at(environment: Mapping[str, Any], path: str) -> Any:
    section, _, key = path.partition(".")
    value = environment.get(section)
    if not key:
        return value
    return value.get(key) if isinstance(value, Mapping) else None


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
