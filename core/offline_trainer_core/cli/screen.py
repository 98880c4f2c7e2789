"""How commands write: coloured and wrapped on a terminal, plain and one line each in a file."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from offline_trainer_core.errors import Problem
    from offline_trainer_core.installed import BrokenDistribution

__all__ = ["colours", "print_broken", "print_problems", "print_table", "print_text", "print_yaml"]

_COLOURS = {"error": "red", "warning": "yellow"}
_GUTTER = re.compile(r" *(?:-->|\||=)|\d+ \|")
"""What stands left of the text in all lines of a problem but those of its title."""


def colours() -> bool | None:
    """Return whether the owner of the terminal asks for colours, or for none; None where the terminal decides.

    `NO_COLOR` (no-color.org) goes before `FORCE_COLOR` (force-color.org); what is empty says nothing.
    """
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def print_problems(problems: Sequence[Problem], *, err: bool = False) -> None:
    """Print every problem with its place in the text, then how many there are."""
    if not problems:
        return
    import shutil

    stream = sys.stderr if err else sys.stdout
    columns = shutil.get_terminal_size().columns if stream.isatty() else None
    for problem in problems:
        click.echo(_coloured(problem, columns) + "\n", err=err)
    counts = []
    for severity in ("error", "warning"):
        count = sum(problem.severity == severity for problem in problems)
        if count:
            counts.append(
                click.style(f"{count} {severity}{'s' if count > 1 else ''}", fg=_COLOURS[severity], bold=True)
            )
    click.echo(", ".join(counts), err=err)


def _coloured(problem: Problem, columns: int | None) -> str:
    colour = _COLOURS[problem.severity]
    lines = problem.render(columns).splitlines()
    title = next((number for number, line in enumerate(lines) if _GUTTER.match(line)), len(lines))
    label, colon, message = lines[0].partition(":")
    coloured = [click.style(label, fg=colour, bold=True) + click.style(colon + message, bold=True)]
    coloured += [click.style(line, bold=True) for line in lines[1:title]]
    for line in lines[title:]:
        found = _GUTTER.match(line)
        gutter = found.end() if found else 0
        is_caret = re.match(r" *\| *\^", line) is not None
        rest = click.style(line[gutter:], fg=colour, bold=True) if is_caret else line[gutter:]
        coloured.append((click.style(line[:gutter], fg="blue") if gutter else "") + rest)
    return "\n".join(coloured)


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    fold: int,
    colours: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Print `rows` under `headers`, if there are any; on a terminal the column number `fold` is broken into lines.

    Cells whose first word is one of `colours` have that colour.
    """
    table = [tuple(row) for row in ([headers, *rows] if headers else rows)]
    if not sys.stdout.isatty():
        widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
        for row in table:
            cells = [_padded(cell, width, colours) for cell, width in zip(row, widths, strict=True)]
            click.echo("  ".join(cells).rstrip())
        return
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(headers))
    for number, header in enumerate(table[0]):
        drawn.add_column(header, overflow="fold", no_wrap=number != fold)
    for row in table[len(headers) > 0 :]:
        drawn.add_row(*(Text(cell, style=colours.get(cell.partition(" ")[0], "")) for cell in row))
    _terminal().print(drawn)


def _padded(cell: str, width: int, colours: Mapping[str, str]) -> str:
    colour = colours.get(cell.partition(" ")[0])
    return cell.ljust(width) if colour is None else click.style(cell, fg=colour) + " " * (width - len(cell))


def print_text(text: str) -> None:
    """Print paragraphs, on a terminal broken between words."""
    if sys.stdout.isatty():
        _terminal().print(text)
    else:
        click.echo(text)


def print_yaml(text: str) -> None:
    """Print YAML `text`, coloured on a terminal."""
    if not sys.stdout.isatty() and not colours():
        click.echo(text.rstrip("\n"))
        return
    from rich.syntax import Syntax

    # What is no terminal has no end of a line: there the longest line fits.
    width = None if sys.stdout.isatty() else max(map(len, text.splitlines()), default=0) + 1
    _terminal(width).print(
        Syntax(text.rstrip("\n"), "yaml", theme="ansi_dark", background_color="default", word_wrap=True)
    )


def _terminal(width: int | None = None) -> Console:
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False, width=width)


def print_broken(broken: Iterable[BrokenDistribution]) -> None:
    """Say which installed packages have metadata that cannot be read, and why."""
    for distribution in broken:
        click.echo(f"{click.style('warning', fg='yellow')}: {distribution.name}: {distribution.reason}", err=True)
