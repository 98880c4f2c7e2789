"""Prints the survey of a policy: a table that fits the terminal, or plain aligned lines in a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ot_policy_constructor.inspection.report import HEADERS, NUMBERS, rows_of, sentences_of
from ot_policy_constructor.inspection.survey import Survey

__all__ = ["print_survey"]

_FROZEN = HEADERS.index("frozen")
_WIDTH = 12
"""Of what a sentence is about."""


def print_survey(survey: Survey, depth: int) -> None:
    """Print every module to `depth`, then what concerns all of them."""
    rows = list(rows_of(survey, depth))
    used = [number for number, _ in enumerate(HEADERS) if any(row[number] for row in rows)]
    table = [[row[number] for number in used] for row in rows]
    headers = [HEADERS[number] for number in used]
    if sys.stdout.isatty():
        _print_on_terminal(headers, table, [bool(row[_FROZEN]) for row in rows])
    else:
        _print_plain([headers, *table], [name in NUMBERS for name in headers])
    click.echo()
    for about, what in sentences_of(survey, depth):
        _print_sentence(about, what)


def _print_plain(table: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = zip(row, widths, right, strict=True)
        click.echo(
            "  ".join(f"{cell:>{width}}" if is_right else f"{cell:{width}}" for cell, width, is_right in cells).rstrip()
        )


def _print_on_terminal(headers: Sequence[str], table: Sequence[Sequence[str]], frozen: Sequence[bool]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        folds = header in ("type", "input", "output")
        drawn.add_column(header, justify="right" if header in NUMBERS else "left", no_wrap=not folds, overflow="fold")
    for row, is_frozen in zip(table, frozen, strict=True):
        drawn.add_row(*(Text(cell, style="cyan" if is_frozen else "") for cell in row))
    Console(markup=False, highlight=False, emoji=False).print(drawn)


def _print_sentence(about: str, what: str) -> None:
    columns = 0
    if sys.stdout.isatty():
        import shutil

        columns = shutil.get_terminal_size().columns
    text = f"{about:{_WIDTH}}  {what}"
    if 0 < columns < len(text):
        text = click.wrap_text(text, columns, subsequent_indent=" " * (_WIDTH + 2))
    click.echo(text)
