"""Which dialect a file is written in, and its translation into the language of today."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from offline_trainer_core.catalogue import Registry, installed_registry
from offline_trainer_core.config import Config, MappingNode, to_plain
from offline_trainer_core.config.written import parse_written, read_written
from offline_trainer_core.errors import ConfigError, Location, Problem
from offline_trainer_core.migrate.draft import Block, to_node
from offline_trainer_core.migrate.multi_model import translate_multi_model
from offline_trainer_core.migrate.nested import TRAIN, translate_nested
from offline_trainer_core.migrate.pieces import Comments, Piece, column_of, comments_between, count_deeper, relative
from offline_trainer_core.migrate.printing import print_draft
from offline_trainer_core.migrate.spans import read_spans
from offline_trainer_core.migrate.translation import Draft, made
from offline_trainer_core.migrate.words import as_it_was_read
from offline_trainer_core.plan.sections import SECTIONS

__all__ = ["Dialect", "Translation", "dialect_of", "translate", "translated"]

Dialect = Literal["nested", "multi-model"]

_SHARED = ("schema_version", "plugins", "model", "data")
"""Top-level keys of today that the older dialects have, too."""


@dataclass(frozen=True)
class Translation:
    """A file of an older dialect in today's language."""

    file: str
    dialect: Dialect
    text: str
    config: Config
    """The new tree, every value at its place in the old file."""
    moved: tuple[tuple[str, str], ...]
    """Old paths, and what they are now."""
    problems: tuple[Problem, ...]
    """Warnings: what was not carried over, and what to look at."""


def dialect_of(root: MappingNode) -> Dialect | None:
    """Return the older dialect that a file is written in, or None: it is today's, or none that is known.

    Today's language has no `train`, and no model whose form is `component_config_paths`.
    """
    model, data = root.get("model"), root.get("data")
    if isinstance(model, MappingNode) and "component_config_paths" in model.items:
        return "multi-model"
    train = root.get("train")
    if not isinstance(train, MappingNode):
        return None
    has_datamodule = isinstance(data, MappingNode) and "datamodule" in data.items and "_type_" not in data.items
    is_todays = any(key in SECTIONS and key not in _SHARED for key in root.items)
    return "nested" if has_datamodule or (not is_todays and any(key in train.items for key in TRAIN)) else None


def translated(file: str) -> Translation | None:
    """Return the translation of `file`, or None where it is none of an older dialect, or cannot be parsed.

    Raises `ConfigError` with everything that is wrong with a file of an older dialect.
    """
    try:
        old = parse_written(read_written(file), file)
    except ConfigError:
        return None  # who reads it next says why
    return translate(old, installed_registry()) if dialect_of(old.root) else None


def translate(old: Config, registry: Registry) -> Translation:
    """Return the translation of a file that is written in an older dialect.

    `registry` tells hook plugins from modules, and which arguments data components take. Raises `ConfigError` with
    everything that is wrong with the old file, each problem at its place in it.
    """
    dialect = dialect_of(old.root)
    assert dialect is not None, "a file of today's language needs no translation"
    file, text = next(iter(old.sources.items()))
    root, head, end = _root(text, file, old)
    draft = Draft(old, registry)
    fill = translate_nested if dialect == "nested" else translate_multi_model
    fill(draft, root, _name(file))
    errors = [problem for problem in draft.problems if problem.severity == "error"]
    if errors:
        raise ConfigError(errors)
    sections = Block([made("schema_version", 1), *(draft.sections[key] for key in SECTIONS if key in draft.sections)])
    sections.entries[0].comments = Comments(head)
    node = to_node(sections, Location(file, 1, 1))
    assert isinstance(node, MappingNode)
    config = Config(node, old.sources, warnings=tuple(draft.problems))
    left = ("", "# Not carried over:", *draft.homeless) if draft.homeless else ()
    text = _printed(sections, (*_without_blanks(end), *left), node)
    return Translation(file, dialect, text, config, tuple(draft.moved), tuple(draft.problems))


def _root(text: str, file: str, old: Config) -> tuple[Piece, tuple[str, ...], tuple[str, ...]]:
    """Return the whole old file as a piece, the lines that head it, and those that end it."""
    span = read_spans(text)
    node = as_it_was_read(text, span, old.root)
    piece = Piece(text, "", "", Location(file, 1, 1), span, node)
    first = span.keys[0].start
    begin = first - column_of(text, first)
    if blank := list(_BLANK_LINE.finditer(text, 0, begin)):
        begin = blank[-1].end()
    after, lines = comments_between(text, span.end, len(text), True)
    deeper = count_deeper(lines, column_of(text, first))
    below = Comments(after=after, tail=relative(lines[:deeper], 0))
    first_line, above = comments_between(text, 0, begin, True)
    head = tuple(line.strip() for line in (*([first_line] if first_line else []), *above))
    end = tuple(line.strip() for line in lines[deeper:])
    return replace(piece, comments=below, begin=begin), head, end


_BLANK_LINE = re.compile(r"^[ \t]*\n", re.MULTILINE)


def _without_blanks(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return `lines` up to the last that is not blank."""
    return tuple("\n".join(lines).rstrip("\n").split("\n")) if any(lines) else ()


def _name(file: str) -> str:
    """Return a name for the run of a file that has none."""
    name = re.sub(r"[^\w.+=@-]", "_", Path(file).stem)
    return name if re.match(r"\w", name) else "run"


def _printed(sections: Block, end: tuple[str, ...], node: MappingNode) -> str:
    """Return the text of the draft; values are written anew where their old text does not carry over."""
    text = print_draft(sections, end)
    try:
        kept = to_plain(parse_written(text, "new").root) == to_plain(node)
    except ConfigError:
        kept = False
    return text if kept else print_draft(sections, end, verbatim=False)
