"""The code of installed distributions and of modules, file by file: what a lock pins."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from offline_trainer_core.catalogue.digest import Installed, recorded_files

__all__ = ["digests_of_distribution", "digests_of_module", "digests_under", "editable_project"]

_MODULE = re.compile(r"^[^=\n]+=\s*(\w+)", re.MULTILINE)
"""The first part of the module that a line of `entry_points.txt` names."""


def digests_of_distribution(name: str) -> dict[str, str] | None:
    """Return the SHA-256 of every file that importing an installed distribution may read; None where it is not there.

    These are the files that it installed, and whatever lies in the packages among them by now: a file that was added
    can take the place of another, and so can a package that stands before it on the path. Of an editable installation
    it is the packages that its metadata names, as they are. Byte code that Python keeps in `__pycache__` is left out.
    """
    from importlib_metadata import PackageNotFoundError, distribution

    try:
        found = distribution(name)
        return _digests(_files_of(found))
    except (PackageNotFoundError, ValueError):
        return None


def digests_of_module(name: str) -> dict[str, str]:
    """Return the SHA-256 of the files of a top-level module or package, without importing it."""
    return next((digests_under(place) for _, place in _places([name])), {})


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


def _files_of(found: Installed) -> dict[str, Path]:
    """Return the files of a distribution by their names, from where Python would import them."""
    root = Path(str(found.locate_file("")))
    listed = recorded_files(found)
    files = {name: root / name for name in listed}
    own = {_module_of(name) for name in listed}
    named = set(_named_modules(found)) - own if _project(found) is not None or not listed else set()
    for module, place in _places(own | named):
        beside = place.parent.resolve() == root.resolve()
        if module in named and beside:
            continue  # another distribution's, whose object an entry point advertises
        if not beside:  # a copy elsewhere on the path goes before what was installed
            files = {name: path for name, path in files.items() if _module_of(name) != module}
        files |= dict(_walk(place)) if place.is_dir() else {place.name: place}
    return files


def _module_of(name: str) -> str:
    """Return the top-level module that a file belongs to."""
    return name.partition("/")[0].partition(".")[0]


def _project(found: Installed) -> Path | None:
    try:
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        editable = origin.get("dir_info", {}).get("editable", False)
        return Path(url2pathname(urlsplit(origin["url"]).path)).resolve() if editable else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _named_modules(found: Installed) -> Iterable[str]:
    """Return the top-level names of a distribution, as its metadata gives them."""
    listed = (found.read_text("top_level.txt") or "").split()
    return dict.fromkeys([*listed, *_MODULE.findall(found.read_text("entry_points.txt") or "")])


def _places(modules: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Yield where the modules are: the folder of a package, or a file."""
    for module in sorted(modules):
        try:
            spec = find_spec(module)
        except (ImportError, ValueError):
            continue
        if spec is not None and spec.origin is not None and spec.has_location:
            yield module, Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)


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
