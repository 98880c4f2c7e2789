"""What a distribution says that it needs, and which of it is missing here. Reads metadata, imports nothing."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["CORE", "core_refusal", "installed_version", "missing_of_extras", "normalized", "provider_of"]

CORE = "offline-trainer-core"


def normalized(name: str) -> str:
    """Return a distribution's name as the index compares it: `Ot_MyTeam.Plugins` is `ot-myteam-plugins`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_version(distribution: str) -> str | None:
    """Return the installed version of `distribution`, or None."""
    from importlib_metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except (PackageNotFoundError, KeyError, ValueError):
        return None


@lru_cache(maxsize=256)
def core_refusal(distribution: str, version: str) -> str | None:
    """Return why this version of `distribution` cannot work with the installed core; None if it can or is unknown."""
    installed = installed_version(CORE)
    for needed in _requirements(distribution) if installed else ():
        unmet = installed is not None and not needed.specifier.contains(installed, prereleases=True)
        if normalized(needed.name) == CORE and _applies(needed, "") and unmet:
            return (
                f"it needs {CORE} {needed.specifier}, and {installed} is installed"
                f"\n  to mend it: pip install --upgrade {distribution} '{CORE}{needed.specifier}'"
            )
    return None


def missing_of_extras(distribution: str, extras: tuple[str, ...]) -> list[str]:
    """Return the requirements of these extras of `distribution` that are not installed in a version that fits."""
    found = []
    for needed in _requirements(distribution):
        if any(_applies(needed, extra) for extra in extras) and not _applies(needed, ""):
            version = installed_version(needed.name)
            if version is None or not needed.specifier.contains(version, prereleases=True):
                found.append(f"{needed.name}{needed.specifier}")
    return found


def provider_of(module: str, distribution: str) -> str:
    """Return what `pip install` must be given to get `module`: the extra that brings it, else its own name."""
    for needed in _requirements(distribution):
        name = normalized(needed.name)
        if name == normalized(module) or name.startswith(f"{normalized(module)}-"):
            for extra in _extras(distribution):
                if _applies(needed, extra) and not _applies(needed, ""):
                    return f"{distribution}[{extra}]"
            return f"{needed.name}{needed.specifier}"
    return module


def _applies(needed: Requirement, extra: str) -> bool:
    return needed.marker is None or needed.marker.evaluate({"extra": extra})


def _requirements(distribution: str) -> tuple[Requirement, ...]:
    from importlib_metadata import PackageNotFoundError, requires
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        lines = requires(distribution) or []
    except (PackageNotFoundError, KeyError, ValueError):
        return ()
    found = []
    for line in lines:
        try:
            found.append(Requirement(line))
        except InvalidRequirement:
            continue  # what cannot be read cannot be held against the plugin
    return tuple(found)


def _extras(distribution: str) -> list[str]:
    from importlib_metadata import metadata

    return metadata(distribution).get_all("Provides-Extra") or []
