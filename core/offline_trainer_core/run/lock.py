"""The lock: which code a run was made of, to the byte, and what of that is no longer so."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from offline_trainer_core.catalogue import CORE
from offline_trainer_core.catalogue.files import (
    digests_of_distribution,
    digests_of_module,
    digests_under,
    editable_project,
)
from offline_trainer_core.errors import UsageError
from offline_trainer_core.installed import installed_version
from offline_trainer_core.plan import LocalModule, Plan

__all__ = ["LOCK", "Drift", "Lock", "refuse_drift"]

LOCK = "lock.json"
_FORMAT = 1
_MOST_FILES = 3
"""Changed files of one package that a message names."""


class Drift(NamedTuple):
    """One thing that is no longer as a lock pins it, and what brings it back."""

    what: str
    fix: str


@dataclass(frozen=True)
class Lock:
    """What a run was made of: the distributions that its components came from, the core and torch, and local code.

    Of torch the version is pinned, of Python the minor version, of everything else every file.
    """

    python: str
    torch: str | None
    distributions: Mapping[str, Mapping[str, Any]]
    """`version`, and `files`: their SHA-256 by their names."""
    modules: Mapping[str, Mapping[str, str]]
    """The files of local modules, and of modules of other packages that a component's target is in."""
    components: Mapping[str, str]
    """Where the components came from, by their keys: `module:attribute of distribution`."""

    @classmethod
    def of(cls, plan: Plan) -> Lock:
        """Return the lock of a plan, with the code as it lies here now."""
        distributions = {
            name: {"version": installed_version(name), "files": digests_of_distribution(name) or {}}
            for name in sorted({CORE, *plan.distributions()})
        }
        return cls(
            python=_python(),
            torch=installed_version("torch"),
            distributions=distributions,
            modules=dict(_modules(plan, distributions)),
            components=_components(plan),
        )

    @classmethod
    def read(cls, path: Path) -> Lock:
        """Read a lock file. Raises `UsageError` where there is none that can be read."""
        try:
            content = json.loads(path.read_bytes())
            if content.pop("format") > _FORMAT:
                raise UsageError(f"the lock {path} was written by a newer version: pip install --upgrade {CORE}")
            return cls(**content)
        except OSError as error:
            raise UsageError(f"there is no lock {path} that can be read: {error.strerror or error}") from error
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise UsageError(f"{path} is no lock, or is damaged: every run leaves one in its folder") from error

    def to_json(self) -> dict[str, Any]:
        """Return the lock as plain data: what is written into the run record."""
        return {"format": _FORMAT, **asdict(self)}

    def drifts(self, plan: Plan) -> list[Drift]:
        """Return everything in which this environment, and `plan`, are not what the lock pins."""
        return [*self._versions(), *self._files(), *self._others(plan), *self._local(plan)]

    def _versions(self) -> Iterator[Drift]:
        if self.python != _python():
            what = f"Python {self.python} is pinned, and this is {_python()}"
            yield Drift(what, f"use an environment with Python {self.python}")
        torch = {"torch": self.torch} if self.torch else {}
        for name, version in {**{name: pin["version"] for name, pin in self.distributions.items()}, **torch}.items():
            here = installed_version(name)
            if here != version:
                what = f"{name} {version} is pinned, and {here or 'none'} is installed"
                yield Drift(what, f"pip install '{name}=={version}'")

    def _files(self) -> Iterator[Drift]:
        for name, pin in self.distributions.items():
            if installed_version(name) != pin["version"]:
                continue  # that they differ is no news
            changes = _changes(pin["files"], digests_of_distribution(name) or {})
            if changes:
                project = editable_project(name)
                reinstall = f"pip install --force-reinstall --no-deps '{name}=={pin['version']}'"
                fix = reinstall if project is None else f"bring back the sources in {project}, from which it runs"
                yield Drift(f"{name} {pin['version']} is not the code that is pinned: {changes}", fix)

    def _others(self, plan: Plan) -> Iterator[Drift]:
        for key, place in _components(plan).items():
            distribution = place.rpartition(" of ")[2]
            pinned = self.components.get(key, place)
            if pinned != place:
                fix = f"name it '{key}@{pinned.rpartition(' of ')[2]}', or uninstall the other"
                yield Drift(f"{key} was {pinned}, and is {place}", fix)
            elif distribution not in self.distributions and distribution != "local":
                what = f"{key} is of {distribution}, which is not pinned"
                yield Drift(what, "leave it out, or run without --locked: that run leaves a lock with it")

    def _local(self, plan: Plan) -> Iterator[Drift]:
        here = dict(_modules(plan, self.distributions))
        for name, files in here.items():
            if name not in self.modules:
                yield Drift(f"the module {name} is not pinned", "leave it out, or run without --locked")
            elif changes := _changes(self.modules[name], files):
                yield Drift(f"the module {name} is not the code that is pinned: {changes}", "bring back its sources")


def refuse_drift(lock: Path, plan: Plan) -> None:
    """Raise `UsageError` with everything in which what is about to run is not what the file `lock` pins."""
    drifts = Lock.read(lock).drifts(plan)
    if drifts:
        lines = [f"  {drift.what}\n    to mend it: {drift.fix}" for drift in drifts]
        raise UsageError("\n".join([f"this is not what {lock} pins:", *lines]))


def _python() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _components(plan: Plan) -> dict[str, str]:
    return {entry.key: f"{entry.reference} of {entry.distribution}" for _, entry in sorted(plan.entries.items())}


def _modules(plan: Plan, distributions: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the top-level modules that hold code of a plan, and that no pinned distribution has: with their files."""
    local = {module.name.partition(".")[0]: _top_of(module) for module in plan.local_modules}
    for name, place in local.items():
        yield name, digests_under(place)
    known = {file.partition("/")[0].partition(".")[0] for pin in distributions.values() for file in pin["files"]}
    targets = {entry.reference.partition(":")[0].partition(".")[0] for entry in plan.entries.values()}
    for name in sorted(targets - known - local.keys() - {"torch"}):
        yield name, digests_of_module(name)


def _top_of(module: LocalModule) -> Path:
    """Return the file of a local module, or the folder of the package that it is in."""
    path = Path(module.file)
    depth = module.name.count(".") + (path.name == "__init__.py")
    return path if depth == 0 else path.parents[depth - 1]


def _changes(pinned: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Return in words in which files two pieces of code differ; nothing where they do not."""
    lines = [f"{name} changed" for name in pinned if name in here and pinned[name] != here[name]]
    lines += [f"{name} is missing" for name in pinned if name not in here]
    lines += [f"{name} is new" for name in here if name not in pinned]
    more = len(lines) - _MOST_FILES
    return ", ".join([*lines[:_MOST_FILES], *([f"and {more} more"] if more > 0 else [])])
