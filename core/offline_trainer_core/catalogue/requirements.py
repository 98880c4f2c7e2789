"""What a distribution says that it needs, and which of it is missing here. Reads metadata, imports nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from offline_trainer_core.installed import installed_version, normalized

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["CORE", "core_refusal", "missing_of_extras", "provider_of"]

CORE = "offline-trainer-core"
# The form of most requirements. To import packaging, which reads all forms, takes longer than all the reading.
_PLAIN = re.compile(r"""([\w.-]+)\s*((?:[<>]=?\s*\d+(?:\.\d+)*\s*,?\s*)*)(?:;\s*extra\s*==\s*['"]([\w.-]+)['"])?""")
_BOUND = re.compile(r"([<>]=?)\s*([\d.]+)")
_RELEASE = re.compile(r"\d+(\.\d+)*(\+.*)?")


def core_refusal(distribution: str, requires: Iterable[str]) -> str | None:
    """Return why a distribution that `requires` these cannot work with the installed core, or None if it can."""
    for needed in requires:
        if normalized(needed).startswith(CORE) and _is_unmet(needed, ""):
            requirement = _read(needed)
            if requirement is not None and normalized(requirement.name) == CORE:
                return (
                    f"it needs {CORE} {requirement.specifier}, and {installed_version(CORE)} is installed"
                    f"\n  to mend it: pip install --upgrade {distribution} '{CORE}{requirement.specifier}'"
                )
    return None


def missing_of_extras(requires: Iterable[str], extras: Sequence[str]) -> list[str]:
    """Return those of the requirements that belong to `extras` and are not installed in a version that fits."""
    of_extras = [needed for needed in requires if "extra" in needed]
    unmet = [_read(needed) for needed in of_extras if any(_is_unmet(needed, extra) for extra in extras)]
    return [f"{needed.name}{needed.specifier}" for needed in unmet if needed is not None and not _applies(needed, "")]


def provider_of(module: str, distribution: str, requires: Iterable[str]) -> str:
    """Return what `pip install` must be given to get `module`: the extra that brings it, else its own name."""
    for needed in filter(None, map(_read, requires)):
        name = normalized(needed.name)
        if name == normalized(module) or name.startswith(f"{normalized(module)}-"):
            extra = None if _applies(needed, "") else re.search(r"extra\s*==\s*['\"]([\w.-]+)['\"]", str(needed.marker))
            return f"{distribution}[{extra[1]}]" if extra else f"{needed.name}{needed.specifier}"
    return module


@lru_cache(maxsize=1024)
def _is_unmet(needed: str, extra: str) -> bool:
    """Whether the requirement counts with `extra`, and nothing that meets it is installed."""
    plain = _PLAIN.fullmatch(needed)
    if plain is not None and (plain[3] or "") not in ("", extra):
        return False
    installed = installed_version(plain[1]) if plain is not None else None
    if plain is not None and installed is not None and _RELEASE.fullmatch(installed):
        return not all(_meets(installed, *bound.groups()) for bound in _BOUND.finditer(plain[2]))
    requirement = _read(needed)
    if requirement is None or not _applies(requirement, extra):
        return False  # what cannot be read cannot be held against the plugin
    installed = installed_version(requirement.name)
    return installed is None or not requirement.specifier.contains(installed, prereleases=True)


def _meets(version: str, sign: str, bound: str) -> bool:
    """Whether `version` is on that side of `bound`; both are numbers with dots, but for a local `+cpu`."""
    ours, theirs = ([int(part) for part in text.partition("+")[0].split(".")] for text in (version, bound))
    length = max(len(ours), len(theirs))
    ours, theirs = (numbers + [0] * (length - len(numbers)) for numbers in (ours, theirs))
    return (ours == theirs and "=" in sign) or (ours < theirs if sign[0] == "<" else ours > theirs)


def _read(needed: str) -> Requirement | None:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(needed)
    except InvalidRequirement:
        return None


def _applies(needed: Requirement, extra: str) -> bool:
    return needed.marker is None or needed.marker.evaluate({"extra": extra})
