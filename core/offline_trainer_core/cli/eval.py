"""`ot eval`: scores the policy of a run in its environments."""

from __future__ import annotations

import json
from pathlib import Path

import click

from offline_trainer_core.cli.options import overrides_argument, traceback_option
from offline_trainer_core.cli.screen import print_table
from offline_trainer_core.config import resolve_config
from offline_trainer_core.errors import UsageError
from offline_trainer_core.run import evaluate

__all__ = ["command"]


@click.command("eval")
@click.argument("run", metavar="RUN_OR_CONFIG")
@overrides_argument
@click.option("--checkpoint", default="last", metavar="last|best|PATH", show_default=True, help="Whose weights.")
@click.option("--episodes", type=click.IntRange(min=1), metavar="N", help="Number of episodes of every evaluation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@traceback_option
def command(run: str, overrides: tuple[str, ...], checkpoint: str, episodes: int | None, as_json: bool) -> None:
    """Evaluate the policy of a run.

    RUN_OR_CONFIG is the folder of a run, or the configuration that it ran from.
    """
    if not Path(run).exists():
        raise UsageError(f"there is no '{run}': give the folder of a run, or the configuration that it ran from")
    folder = Path(run) if Path(run).is_dir() else _folder_of(run)
    wanted = _episodes(folder, episodes) if episodes else []
    scores = evaluate(folder, checkpoint=checkpoint, overrides=[*overrides, *wanted])
    if as_json:
        click.echo(json.dumps(dict(scores), indent=2))
    else:
        print_table(["score", "value"], ((name, f"{value:.4g}") for name, value in scores.items()), fold=0)


def _folder_of(configuration: str) -> Path:
    config = resolve_config(configuration)
    name: str = config.plain("run.name")
    return Path(config.plain("run.out_dir")).expanduser() / name


def _episodes(folder: Path, episodes: int) -> list[str]:
    """Return the overrides that give every evaluation of the run `episodes` episodes."""
    section = resolve_config(folder / "config.yaml").plain("eval") or {}
    specs = {"eval": section} if "_type_" in section else {f"eval.{name}": spec for name, spec in section.items()}
    return [f"{'' if 'episodes' in spec else '+'}{path}.episodes={episodes}" for path, spec in specs.items()]
