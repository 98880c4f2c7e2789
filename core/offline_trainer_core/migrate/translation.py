"""What every translation needs: sections to fill, specs to rewrite, and a record of where everything went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, MappingNode, SequenceNode
from offline_trainer_core.errors import Problem
from offline_trainer_core.migrate.draft import Block, Entry, Made
from offline_trainer_core.migrate.pieces import Comments, Piece
from offline_trainer_core.plan.sections import SECTIONS
from offline_trainer_core.spelling import listing, nearest

__all__ = ["Draft", "made", "named"]


@dataclass
class Draft:
    """The new file while it is being filled."""

    old: Config
    registry: Registry
    sections: dict[str, Entry] = field(default_factory=dict)
    moved: list[tuple[str, str]] = field(default_factory=list)
    """Old paths and what they are now."""
    problems: list[Problem] = field(default_factory=list)
    homeless: list[str] = field(default_factory=list)
    """Comment lines whose keys are gone."""

    def put(self, entry: Entry, piece: Piece) -> None:
        """Make `entry`, which comes from `piece`, a section of its own."""
        self.sections[entry.key] = entry
        self.moved.append((piece.path, entry.key))

    def into(self, section: str, entry: Entry, piece: Piece | None = None) -> None:
        """Put `entry` into a section that is a mapping, or a list; `piece` is what it comes from."""
        block = self.block(section, is_list=not entry.key)
        block.entries.append(entry)
        if piece is not None:
            place = f"{section}.{entry.key}" if entry.key else f"{section}[{len(block.entries) - 1}]"
            self.moved.append((piece.path, place))

    def block(self, section: str, *, is_list: bool = False) -> Block:
        """Return a section to fill, made if need be."""
        entry = self.sections.setdefault(section, Entry(section, Block(is_list=is_list)))
        assert isinstance(entry.value, Block), "sections that are filled are made by this method"
        return entry.value

    def note(self, piece: Piece, message: str, fix: str | None = None) -> None:
        """Say what the author should know about the translation of `piece`."""
        self._warn("translation-note", piece, message, fix)

    def drop(self, piece: Piece, why: str) -> None:
        """Leave out `piece`: it is reported, and stays as a comment."""
        self._warn("not-carried-over", piece, f"'{piece.path}' is not carried over: {why}", None)
        self.homeless += [line for line in piece.comments.head if line]
        begin = piece.key_span.end if piece.key_span is not None else piece.span.start
        first, *rest = piece.text[begin : piece.span.end].strip().removeprefix(":").split("\n")
        self.homeless.append(f"# was: {piece.path}: {first.strip()}".rstrip())
        self.homeless += [f"#   {line.strip()}" for line in rest if line.strip()]
        self.homeless += [line.strip() for line in (piece.comments.after, *piece.comments.tail) if line]

    def _warn(self, code: str, piece: Piece, message: str, fix: str | None) -> None:
        problem = self.old.problem(code, message, piece.path, at_key=True, fix=fix, severity="warning")
        self.problems.append(problem)

    def refuse(self, code: str, piece: Piece, message: str, *, at_key: bool = False, **rest: Any) -> None:
        """Report that the old file is wrong at `piece`."""
        self.problems.append(self.old.problem(code, message, piece.path, at_key=at_key, **rest))

    def opened(self, piece: Piece, allowed: Sequence[str], *, dissolve: bool = True) -> dict[str, Piece]:
        """Return what the mapping `piece` holds, by key; keys that are not `allowed` are reported.

        With `dissolve`, the comments of its own key go to what it holds first.
        """
        if not isinstance(piece.node, MappingNode):
            if not piece.is_null:
                self.refuse("wrong-type", piece, f"'{piece.path}' takes a mapping", allowed=listing(allowed))
            self.homeless += piece.comments.lines
            return {}
        found = {}
        for child in self.parts(piece) if dissolve else piece.children():
            if child.key in allowed:
                found[child.key] = child
            else:
                self._unknown(child, piece, allowed)
        return found

    def parts(self, piece: Piece) -> list[Piece]:
        """Return what `piece` holds; the comments of its own key go to the first of it."""
        found = piece.children()
        own = piece.own
        if not found:
            self.homeless += own.lines
            return []
        if not piece.span.is_block:  # what stands behind the brace stands behind what the braces held
            found[-1] = replace(found[-1], comments=found[-1].comments.followed_by(own.beside, own.tail))
            own = replace(own, beside="")
        found[0] = replace(found[0], comments=found[0].comments.under(own))
        return found

    def _unknown(self, child: Piece, piece: Piece, allowed: Sequence[str]) -> None:
        where = f"'{piece.path}'" if piece.path else "the top level of this dialect"
        message = f"'{child.key}' is not a key of {where}"
        meant = nearest(child.key, allowed)
        fix = None if meant else "take it out, or make it a comment"
        notes = (
            ("a file is written in one language: this key is of today's",) if child.key in (*SECTIONS, "_type_") else ()
        )
        self.refuse(
            "unknown-key",
            child,
            message,
            at_key=True,
            suggestion=meant,
            allowed=listing(allowed, 20),
            fix=fix,
            notes=notes,
        )

    def flag(self, piece: Piece) -> bool:
        """Return the boolean that `piece` holds; report what is none."""
        if not isinstance(piece.value, bool):
            self.refuse("wrong-type", piece, f"'{piece.path}' takes true or false", allowed="true, false")
        return piece.value is True

    def spec(self, piece: Piece, kind: str, key: str | None = None) -> Entry:
        """Return `{type, params}`, or a bare name, as a spec under its old key or another."""
        type_, params = self.type_and_params(piece)
        block = Block(flow=not piece.span.is_block)
        if type_ is not None:
            block.entries.append(named(type_, kind))
        if params is not None:
            block.entries += [Entry.of(child) for child in self.parts(params)]
        return Entry(piece.key if key is None else key, block, piece.own, piece.place)

    def specs(self, piece: Piece, kind: str) -> list[Entry]:
        """Return the items of a list of `{type, params}` as specs."""
        if piece.is_null:
            self.homeless += piece.comments.lines
            return []
        if not isinstance(piece.node, SequenceNode):
            self.refuse("wrong-type", piece, f"'{piece.path}' takes a list", fix="write '- type: ...'")
            return []
        return [self.spec(item, kind) for item in self.parts(piece)]

    def type_and_params(self, piece: Piece) -> tuple[Piece | None, Piece | None]:
        """Return the name in `{type, params}` and the mapping of parameters; of a bare name, `piece` itself."""
        if isinstance(piece.value, str):
            return piece, None
        found = self.opened(piece, ("type", "params"), dissolve=False)
        type_, params = found.get("type"), found.get("params")
        if type_ is None or not isinstance(type_.value, str):
            if piece.is_null or isinstance(piece.node, MappingNode):
                message = f"'{piece.path}' needs 'type': the name of a component"
                self.refuse("missing-type", type_ or piece, message, at_key=type_ is None)
            return None, None
        if params is not None and not isinstance(params.node, MappingNode):
            if not params.is_null:
                self.refuse("wrong-type", params, f"'{params.path}' takes a mapping")
            self.homeless += params.comments.lines
            return type_, None
        return type_, params


def named(type_: Piece, kind: str) -> Entry:
    """Return `_type_` for the name that `type_` holds, with the prefix of its kind."""
    name = type_.value if str(type_.value).startswith(f"{kind}.") else f"{kind}.{type_.value}"
    is_whole = type_.key != "type"
    comments = Comments() if is_whole else type_.comments
    return Entry("_type_", Made(name, len(str(type_.value))), comments, type_.node.location)


def made(key: str, value: Any, piece: Piece | None = None) -> Entry:
    """Return an entry that is not written so in the old file; comments and place are those of `piece`."""
    if piece is None:
        return Entry(key, Made(value))
    return Entry(key, Made(value), piece.comments, piece.place)
