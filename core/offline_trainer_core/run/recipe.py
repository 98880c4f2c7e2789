"""How a recorded run is run again: the same configuration, secrets filled in, under another name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from offline_trainer_core.config import MASK, ScalarNode, resolve_config
from offline_trainer_core.errors import UsageError
from offline_trainer_core.record import MASKED, CheckpointStore, Manifest, RunFolder, read_metrics
from offline_trainer_core.run.lock import LOCK

__all__ = ["Recipe"]

_OWN = ("auto", "last", "best")


@dataclass(frozen=True)
class Recipe:
    """What to run to get the run in `original` again, up to the `step` of its newest checkpoint."""

    original: Path
    dir: Path
    """Where it is run again."""
    overrides: tuple[str, ...]
    processes: int
    step: int
    manifest: Manifest | None
    """Of the newest good checkpoint of the original, where it has one."""
    is_complete: bool
    """Whether the original reached its end: else its repetition is stopped at `step`."""

    @classmethod
    def of(cls, run_dir: Path, overrides: Sequence[str] = (), name: str | None = None) -> Recipe:
        """Read the record of a run.

        Raises `UsageError` where it is none, came to nothing, or masks values that nobody gives.
        """
        folder = RunFolder(run_dir)
        if not (run_dir / "config.yaml").is_file():
            raise UsageError(f"{run_dir} is no run folder: it has no config.yaml")
        status, manifest = folder.status, _newest_manifest(folder.checkpoints)
        step = manifest.counters["global_step"] if manifest is not None else _last_step(run_dir)
        if not step:
            raise UsageError(f"{run_dir} came to nothing that could be reproduced: no checkpoint, and nothing logged")
        place = run_dir.with_name(name or _free_name(run_dir))
        given = _given(run_dir, overrides)
        renamed = [f"run.name={json.dumps(place.name)}", f"run.out_dir={json.dumps(str(place.parent))}"]
        processes = manifest.world_size if manifest is not None else status.processes if status is not None else 1
        is_complete = status is not None and status.status == "finished"
        return cls(run_dir, place, (*given, *renamed), processes, step, manifest, is_complete)

    @property
    def config(self) -> Path:
        """The configuration as the original resolved it."""
        return self.original / "config.yaml"

    @property
    def lock(self) -> Path:
        """What the code of the original was."""
        return self.original / LOCK

    @property
    def until(self) -> int | None:
        """The step after which to stop; None to go on to the end."""
        return None if self.is_complete else self.step


def _given(run_dir: Path, overrides: Sequence[str]) -> list[str]:
    """Return `overrides` after those that fill in what the record masks; raise `UsageError` where that is not all."""
    file = run_dir / "config.yaml"
    masked = _masked(run_dir)
    given = [*(f"{path}={json.dumps(text)}" for path, text in masked.items() if text is not None), *overrides]
    config = resolve_config(file, given)
    hidden = [path for path, node in config.walk() if isinstance(node, ScalarNode) and node.value == MASK]
    if hidden:
        raise UsageError(
            f"the record masks what stood at {', '.join(hidden)}, and no environment variable gave it: "
            f"give it again, as in ot reproduce {run_dir} '{hidden[0]}=...'"
        )
    resumed = config.plain("run.resume_from")
    own = resumed in (*_OWN, *RunFolder(run_dir).checkpoints.names())
    return [*given, "run.resume_from=null"] if own else given


def _masked(run_dir: Path) -> Mapping[str, str | None]:
    file = run_dir / MASKED
    try:
        content = json.loads(file.read_bytes()) if file.exists() else {}
    except (OSError, RecursionError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{file} is damaged: it holds no record")
    return content


def _newest_manifest(store: CheckpointStore) -> Manifest | None:
    name = store.latest()
    return Manifest.read(store.dir / name) if name is not None else None


def _last_step(run_dir: Path) -> int:
    return max((line["step"] for line in read_metrics(run_dir / "metrics.jsonl")), default=0)


def _free_name(run_dir: Path) -> str:
    base = f"{run_dir.resolve().name}-reproduced"
    names = (base if number == 1 else f"{base}-{number}" for number in count(1))
    return next(name for name in names if not run_dir.with_name(name).exists())
