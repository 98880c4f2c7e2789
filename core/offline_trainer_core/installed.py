"""Which distributions are installed, from their metadata alone: nothing is imported, and little is read.

Where all metadata lies in folders, as pip leaves it, the folders are listed; where it may lie elsewhere, in archives or
behind finders of their own, importlib-metadata is asked. Of one distribution found twice, the first on the path counts.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from importlib.machinery import PathFinder
from typing import NamedTuple

__all__ = ["Advertiser", "BrokenDistribution", "advertisers", "installed_version", "normalized"]

_RUNS = re.compile(r"[-_.]+")


class Advertiser(NamedTuple):
    """A distribution with entry points of ours."""

    name: str
    version: str
    entry_points: str
    """The text of `entry_points.txt`."""
    requires: tuple[str, ...]
    """What it needs, as its metadata spells it."""


class BrokenDistribution(NamedTuple):
    """A distribution whose advertisements cannot all be read, and why."""

    name: str
    reason: str


class _Found(NamedTuple):
    """Metadata of a distribution, wherever it lies."""

    folder: str
    """`ot_team-1.0.dist-info`."""
    place: str
    """The part of the path that its modules are imported from."""
    read: Callable[[str], str | None]
    """Returns the text of a file, None where there is none; raises `OSError` or `ValueError`."""
    key: str
    """The name of the distribution as the folder gives it, normalized."""


def normalized(name: str) -> str:
    """Return a distribution's name as the index compares it: `Ot_MyTeam.Plugins` is `ot-myteam-plugins`."""
    return _RUNS.sub("-", name).lower()


def advertisers(groups: str = "offline_trainer.") -> tuple[list[Advertiser], list[BrokenDistribution]]:
    """Return the distributions with entry points of ours, and those whose metadata cannot be read.

    `groups` is what the names of the groups begin with.
    """
    broken: list[BrokenDistribution] = []
    first: dict[str, str] = {}
    known: dict[str, tuple[str, Advertiser]] = {}
    for found in _discover():
        first.setdefault(found.key, found.place)
        advertiser = _read(found, groups, broken)
        if advertiser is not None:
            _add(advertiser, found, known, broken)
    hidden = {name for name, (place, _) in known.items() if first.get(name, place) != place}
    return [advertiser for name, (_, advertiser) in known.items() if name not in hidden], broken


def installed_version(distribution: str) -> str | None:
    """Return the installed version of `distribution`, or None."""
    found = next((found for found in _discover() if found.key == normalized(distribution)), None)
    identity = _identity(found) if found is not None else None
    return identity[1] if identity is not None else None


def _read(found: _Found, groups: str, broken: list[BrokenDistribution]) -> Advertiser | None:
    """Return what `found` advertises; None where that is nothing, or cannot be read."""
    try:
        entry_points = found.read("entry_points.txt")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        broken.append(BrokenDistribution(found.folder, f"entry_points.txt cannot be read: {reason}"))
        return None
    if entry_points is None or groups not in entry_points:  # nothing more is read of the many others
        return None
    identity = _identity(found)
    if identity is None:
        broken.append(BrokenDistribution(found.folder, "METADATA has no name and version"))
        return None
    name, version, requires = identity
    return Advertiser(name, version, entry_points, requires)


def _identity(found: _Found) -> tuple[str, str, tuple[str, ...]] | None:
    """Return name, version and requirements, or None where the metadata does not tell."""
    try:
        text = found.read("METADATA") or found.read("PKG-INFO") or ""
    except (OSError, ValueError):
        return None
    fields: dict[str, list[str]] = {"name": [], "version": [], "requires-dist": []}
    for line in text.splitlines():
        if not line:
            break  # what follows is the description
        field, _, value = line.partition(":")
        if field.lower() in fields:
            fields[field.lower()].append(value.strip())
    names, versions = (list(filter(None, fields[field])) for field in ("name", "version"))
    return (names[0], versions[0], tuple(fields["requires-dist"])) if names and versions else None


def _add(
    new: Advertiser, found: _Found, known: dict[str, tuple[str, Advertiser]], broken: list[BrokenDistribution]
) -> None:
    """Add `new` where no distribution of its name is known, or an older one in the same place."""
    name = normalized(new.name)
    place, older = known.get(name, (found.place, None))
    if older is not None and place == found.place:
        reason = f"versions {older.version} and {new.version} both lie in {place}"
        broken.append(BrokenDistribution(new.name, reason))
    if older is None or (place == found.place and _is_newer(new.version, older.version)):
        known[name] = (found.place, new)


def _is_newer(version: str, other: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return version > other


def _discover() -> Iterator[_Found]:
    """Yield every distribution, in the order of the path."""
    return _in_folders(sys.path) if _all_are_folders() else _anywhere()


def _all_are_folders() -> bool:
    """Whether nothing but Python's own finder finds distributions, and every place of the path is a folder."""
    for finder in sys.meta_path:
        # importlib-metadata puts a finder of its own beside Python's, which finds the same.
        usual = finder is PathFinder or type(finder).__module__ == "importlib_metadata"
        if hasattr(finder, "find_distributions") and not usual:
            return False
    return not any(place.endswith(".egg") or os.path.isfile(place) for place in sys.path)


def _in_folders(places: Iterable[str]) -> Iterator[_Found]:
    for place in dict.fromkeys(places):
        try:
            yield from _in_folder(place, os.stat(place or ".").st_mtime_ns)
        except OSError:
            continue


@lru_cache(maxsize=64)
def _in_folder(place: str, _changed: int) -> tuple[_Found, ...]:
    names = [name for name in os.listdir(place or ".") if name.endswith((".dist-info", ".egg-info"))]
    return tuple(_Found(name, place, partial(_read_in, os.path.join(place, name)), _key(name)) for name in names)


def _key(folder: str) -> str:
    return normalized(folder.rpartition(".")[0].partition("-")[0])


def _read_in(folder: str, file: str) -> str | None:
    try:
        with open(f"{folder}/{file}", encoding="utf-8") as stream:  # pathlib would cost more than all the rest
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _anywhere() -> Iterator[_Found]:
    from importlib_metadata import Distribution

    for distribution in Distribution.discover():
        folder = getattr(distribution, "_path", None)
        name = str(distribution) if folder is None else folder.name
        yield _Found(name, str(distribution.locate_file("")), distribution.read_text, _key(name))
