"""The code of installed distributions and of modules, file by file: what a lock pins."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from offline_trainer_core.catalogue.digest import recorded_files

if TYPE_CHECKING:
    from importlib_metadata import Distribution

__all__ = ["digests_of_distribution", "digests_of_module", "digests_under", "editable_project"]

_MODULE = re.compile(r"^[^=\n]+=\s*(\w+)", re.MULTILINE)
"""The first part of the module that a line of `entry_points.txt` names."""


def digests_of_distribution(name: str) -> dict[str, str] | None:
    """Return the SHA-256 of every file that importing an installed distribution may read; None where it is not there.

    These are the files that it installed, and whatever lies in the packages among them by now: a file that was added
    can take the place of another. Of an editable installation it is the packages that its metadata names, as they are.
    Byte code that Python keeps in `__pycache__` is left out.
    """
    from importlib_metadata import PackageNotFoundError, distribution

    try:
        found = distribution(name)
        return _digests(dict(_files_of(found)))
    except (PackageNotFoundError, ValueError):
        return None


def digests_of_module(name: str) -> dict[str, str]:
    """Return the SHA-256 of the files of a top-level module or package, without importing it."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return {}
    if spec is None:
        return {}
    if spec.submodule_search_locations:
        return digests_under(Path(next(iter(spec.submodule_search_locations))))
    return _digests({Path(spec.origin).name: Path(spec.origin)}) if spec.origin and spec.has_location else {}


def digests_under(place: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of the files of a package, by their names from the folder that holds it."""
    return _digests(dict(_walk(place)) if place.is_dir() else {place.name: place})


def editable_project(name: str) -> Path | None:
    """Return the folder of the sources from which a distribution is installed in editable form; None for any other."""
    from importlib_metadata import PackageNotFoundError, distribution

    try:
        return _project(distribution(name))
    except (PackageNotFoundError, ValueError):
        return None


def _files_of(found: Distribution) -> Iterator[tuple[str, Path]]:
    root = Path(str(found.locate_file("")))
    listed = recorded_files(found)
    yield from ((name, root / name) for name in listed)
    packages = {name.partition("/")[0] for name in listed if name.count("/") == 1 and name.endswith("/__init__.py")}
    for package in packages:
        yield from _walk(root / package)
    project = _project(found)
    if project is not None or not listed:
        for place in _places(_named_modules(found), project):
            yield from _walk(place) if place.is_dir() else ((place.name, place),)


def _project(found: Distribution) -> Path | None:
    try:
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        editable = origin.get("dir_info", {}).get("editable", False)
        return Path(url2pathname(urlsplit(origin["url"]).path)).resolve() if editable else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _named_modules(found: Distribution) -> Iterable[str]:
    """Return the top-level names of a distribution, as its metadata gives them."""
    listed = (found.read_text("top_level.txt") or "").split()
    return dict.fromkeys([*listed, *_MODULE.findall(found.read_text("entry_points.txt") or "")])


def _places(modules: Iterable[str], project: Path | None) -> Iterator[Path]:
    """Yield where those of `modules` are that lie in `project`, where there is one."""
    for module in modules:
        try:
            spec = find_spec(module)
        except (ImportError, ValueError):
            continue
        origin = None if spec is None or not spec.has_location else spec.origin
        if spec is not None and origin is not None:
            place = Path(origin).parent if spec.submodule_search_locations else Path(origin)
            if project is None or place.resolve().is_relative_to(project):
                yield place


def _walk(package: Path) -> Iterator[tuple[str, Path]]:
    for folder, below, names in os.walk(package):
        below[:] = [name for name in below if name != "__pycache__" and not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if not name.startswith("."):
                yield path.relative_to(package.parent).as_posix(), path


def _digests(files: Mapping[str, Path]) -> dict[str, str]:
    from hashlib import sha256

    digests = {}
    for name in sorted(files):
        try:
            digests[name] = sha256(files[name].read_bytes()).hexdigest()
        except OSError:
            continue  # that it is missing shows where it is compared
    return digests
