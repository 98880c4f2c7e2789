"""What `ot run` prints around the training: what is about to run, and where everything was left."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from offline_trainer_core.cli.screen import print_problems, print_table
from offline_trainer_core.record import RunFolder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from offline_trainer_core.engine import Rehearsal
    from offline_trainer_core.plan import CheckReport, Plan
    from offline_trainer_core.types import RunInfo, RunResult

__all__ = ["exactness_shown", "print_header", "print_rehearsal", "print_result"]

PICTURES = (".gif", ".mp4", ".pdf", ".png", ".svg")


def print_header(run: RunInfo, report: CheckReport) -> None:
    """Print what is about to run: name, folder, device, and every part with the package that it comes from."""
    print_problems([problem for problem in report.problems if problem.severity == "warning"], err=True)
    processes = f"{run.world_size} process{'es' if run.world_size > 1 else ''}"
    resumed = f", resumes from {run.resume_from}" if run.resume_from else ""
    click.echo(
        f"{click.style(run.name, bold=True)}: {run.device}, {run.precision}, {processes}, seed {run.seed}{resumed}"
    )
    print_table(["part", "components", "from"], _parts(report.plan, run.world_size), fold=1)
    click.echo(f"run folder: {_short(run.dir)}\n")


def _parts(plan: Plan, processes: int) -> Iterator[tuple[str, str, str]]:
    """Yield (section, its components, their distribution) in the order of the configuration."""
    idle = {"run.launcher", "run.strategy.ddp" if processes == 1 else "run.strategy.single"}
    parts: dict[tuple[str, str], Counter[str]] = {}
    for path, entry in plan.entries.items():
        section = path.replace("[", ".").partition(".")[0]
        if path not in idle:
            parts.setdefault((section, entry.label), Counter())[entry.key] += 1
    shown = ""
    for (section, label), keys in parts.items():
        components = ", ".join(key if count == 1 else f"{count} {key}" for key, count in keys.items())
        yield "" if section == shown else section, components, label
        shown = section


def print_result(result: RunResult) -> None:
    """Print how the run ended, its last metrics, and where its checkpoints and pictures are."""
    state, folder = result.state, RunFolder(result.dir)
    ended = click.style(result.status, fg="green" if result.status == "finished" else "yellow", bold=True)
    epochs = f"{state.epoch} epoch{'s' if state.epoch != 1 else ''}"
    click.echo(f"\n{ended} after {state.global_step:,} steps, {epochs}")
    lines = list(_by_stage(result.metrics).items())
    for title, name in (("best", folder.checkpoints.best()), ("last", folder.checkpoints.latest())):
        if name:
            lines.append((title, _short(result.dir / "checkpoints" / name)))
    pictures = sorted(path for path in result.dir.rglob("*") if path.suffix in PICTURES)
    lines += [("picture", _short(picture)) for picture in pictures]
    print_table((), [*lines, ("run folder", _short(result.dir))], fold=1)


def _by_stage(metrics: Mapping[str, float]) -> dict[str, str]:
    """Return the metrics `stage/name`, and those of each evaluated policy `eval/policy/name`, as a line each."""
    lines: dict[str, list[str]] = {}
    for key, value in metrics.items():
        stage, _, name = key.rpartition("/")
        lines.setdefault(stage, []).append(f"{name} {value:.4g}")
    return {stage: ", ".join(line) for stage, line in lines.items()}


def _short(path: Path) -> str:
    """Return `path` from the working folder where it lies below it."""
    here = Path.cwd()
    return str(path.resolve().relative_to(here)) if path.resolve().is_relative_to(here) else str(path)


@contextmanager
def exactness_shown() -> Iterator[None]:
    """Print how exact a resume is when the engine says it, which it does on one process."""
    logger = logging.getLogger("offline_trainer_core")
    level = logger.level
    logger.addFilter(_show_exactness)  # a handler would keep Python from showing warnings
    logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeFilter(_show_exactness)


def _show_exactness(record: logging.LogRecord) -> bool:
    """Print a record that says how exact a resume is; return whether it is left for others to show."""
    text = record.getMessage()
    if not text.startswith("resume: "):
        return True
    click.secho(f"{text}\n", fg="green" if text == "resume: exact" else "yellow")
    return False


def print_rehearsal(seen: Rehearsal) -> None:
    """Print what one batch showed: keys, shapes and dtypes at each hop, parameters, memory, the first losses."""
    rows = [("" if number else hop.name, *row) for hop in seen.hops for number, row in enumerate(hop.rows)]
    print_table(["hop", "key", "shape", "dtype"], rows, fold=1)
    click.echo()
    for name, (total, trained) in seen.parameters.items():
        click.echo(f"{name:16}{total:,} parameters, {trained:,} trained")
    for stage, metrics in (("train", seen.logs), ("validation", seen.validation)):
        if metrics:
            click.echo(f"{stage:16}{', '.join(f'{name} {value:.4g}' for name, value in metrics.items())}")
    click.echo(f"{'steps per epoch':16}{'unknown' if seen.steps_per_epoch is None else seen.steps_per_epoch}")
    click.echo(f"{'peak memory':16}{seen.peak_memory / 2**20:,.0f} MiB")
