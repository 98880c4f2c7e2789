"""`ot migrate`: rewrites older dialects and renamed names into the language of today, comments included."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from offline_trainer_core.catalogue import installed_registry
from offline_trainer_core.cli.options import traceback_option
from offline_trainer_core.cli.screen import print_problems
from offline_trainer_core.config.written import parse_written, read_written
from offline_trainer_core.errors import UsageError
from offline_trainer_core.migrate import rename, translated
from offline_trainer_core.record.atomic import replace_file

if TYPE_CHECKING:
    from offline_trainer_core.catalogue import Registry
    from offline_trainer_core.errors import Problem

__all__ = ["command"]


@dataclass
class Migration:
    """What becomes of one file, and of those that it stands on."""

    texts: dict[str, str]
    """The new text of every file that changes."""
    moved: list[str]
    """A line for everything that is called otherwise now."""
    problems: list[Problem]


@click.command("migrate")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", metavar="OUT", help="Write the new file there.")
@click.option("--in-place", is_flag=True, help="Replace the files; each old one stays beside the new one as FILE.bak.")
@click.option("--check", is_flag=True, help="Write nothing, and exit with 1 if a file would change.")
@traceback_option
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], output: str | None, in_place: bool, check: bool) -> None:
    """Rewrite older files in the language of today.

    Files of older dialects are translated, and names that packages renamed are replaced, in included files and model
    files, too. Comments stay. Prints the new file; what was done goes to the standard error.
    """
    if sum((output is not None, in_place, check)) > 1:
        raise UsageError("--output, --in-place and --check exclude each other")
    registry = installed_registry()
    migrations = [_migrate(file, registry) for file in dict.fromkeys(files)]
    texts = {file: text for migration in migrations for file, text in migration.texts.items()}
    _report(migrations)
    if check:
        ctx.exit(1 if texts else 0)
    if in_place:
        _replace(texts)
    else:
        _write(files, texts, output)


def _migrate(file: str, registry: Registry) -> Migration:
    """Return what becomes of `file`. Raises `ConfigError` where it cannot be read or is wrong in its own dialect."""
    translation = translated(file)
    if translation is None:
        renaming = rename(file, registry)
        moved = [f"{place}: {old} -> {new}" for place, old, new in renaming.moved]
        return Migration(renaming.texts, moved, renaming.problems)
    renaming = rename(parse_written(translation.text, file), registry)
    moved = [f"{file}: written in the {translation.dialect} dialect"]
    moved += [f"  {old} -> {new}" for old, new in translation.moved if old != new]
    moved += [f"  {old} -> {new}" for _, old, new in renaming.moved]
    texts = {file: translation.text, **renaming.texts}
    return Migration(texts, moved, [*translation.problems, *renaming.problems])


def _report(migrations: Iterable[Migration]) -> None:
    for migration in migrations:
        for line in migration.moved:
            click.echo(line, err=True)
        if migration.problems:
            click.echo(err=True)
            print_problems(migration.problems, err=True)


def _replace(texts: dict[str, str]) -> None:
    for file, text in texts.items():
        kept = _free_name(Path(file))
        _put(kept, Path(file).read_bytes())
        _put(Path(file), _encoded(text, file))
        click.echo(f"{file} is rewritten; the old one is {kept}", err=True)
    if not texts:
        click.echo("nothing to migrate", err=True)


def _free_name(path: Path) -> Path:
    """Return a name for the old file that no other has."""
    kept, number = path.with_name(f"{path.name}.bak"), 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.bak{number}")
    return kept


def _write(files: tuple[str, ...], texts: dict[str, str], output: str | None) -> None:
    """Print the new text of every file that changes, or of the one that is asked for; write it to `output`."""
    shown = texts or {file: read_written(file) for file in files}
    if len(shown) > 1 and output is not None:
        raise UsageError(f"--output takes one file, and these change: {', '.join(shown)}; use --in-place")
    if output is not None:
        file, text = next(iter(shown.items()))
        _put(Path(output), _encoded(text, file))
        return
    for file, text in shown.items():
        if len(shown) > 1:
            click.echo(f"# ---- {file}")
        sys.stdout.write(text)


def _put(path: Path, data: bytes) -> None:
    """Write a file at once, or say why that is not possible."""
    try:
        replace_file(path, data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror or error}") from error


def _encoded(text: str, file: str) -> bytes:
    """Return `text` with the line ends of the file that it replaces."""
    ends = b"\r\n" in Path(file).read_bytes()
    unified = text.replace("\r\n", "\n")
    return (unified.replace("\n", "\r\n") if ends else unified).encode()
