"""The registry: every known component by its key, with all candidates where several distributions offer one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from offline_trainer_core.catalogue.entry import Entry, SignaturePolicy
from offline_trainer_core.errors import ComponentError
from offline_trainer_core.installed import BrokenDistribution, normalized
from offline_trainer_core.spelling import nearest

__all__ = ["LeftOut", "Registry"]


class LeftOut(NamedTuple):
    """An installed component that may not be used, and the settings that do not list its distribution."""

    entry: Entry
    forbidden_by: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Why, as the end of a message: where the component comes from, and which list lacks that."""
        return f"comes from {self.entry.label}, which is not in {' and not in '.join(self.forbidden_by)}"


class Registry:
    """Known components by key. Nothing is imported before an entry is loaded.

    `plugins` are the hook plugins that are installed, `readers` the static readers, `renames` the tables of what was
    called otherwise before, `schemas` what editors should know of frontends' definitions; `left_out` and
    `left_out_plugins` are the components and hook plugins of distributions that are not allowed; `broken` names the
    distributions whose metadata could not be read, and `notes` what was left out: both are shown with an unknown key.
    """

    def __init__(
        self,
        entries: Iterable[Entry] = (),
        *,
        left_out: Iterable[LeftOut] = (),
        left_out_plugins: Iterable[LeftOut] = (),
        broken: Iterable[BrokenDistribution] = (),
        plugins: Iterable[Entry] = (),
        readers: Iterable[Entry] = (),
        renames: Iterable[Entry] = (),
        schemas: Iterable[Entry] = (),
        notes: Iterable[str] = (),
    ) -> None:
        self._entries: dict[str, list[Entry]] = {}
        for entry in entries:
            self._entries.setdefault(entry.key, []).append(entry)
        self.left_out = tuple(left_out)
        self.left_out_plugins = tuple(left_out_plugins)
        self.broken = tuple(broken)
        self.plugins = tuple(plugins)
        self.readers = tuple(readers)
        self.renames = tuple(renames)
        self.schemas = tuple(schemas)
        self.notes = tuple(notes)

    def candidates(self, key: str) -> tuple[Entry, ...]:
        """Return the entries for `key`, by distribution; `key@distribution` asks for those of one distribution."""
        return _of_distribution(self._entries.get(key.partition("@")[0], ()), key)

    def forbidden(self, key: str) -> tuple[LeftOut, ...]:
        """Return the components that `key` would stand for if their distributions were allowed."""
        return _called(self.left_out, key)

    def plugin_candidates(self, name: str) -> tuple[Entry, ...]:
        """Return the hook plugins called `name`, by distribution; `name@distribution` narrows them."""
        return _of_distribution([entry for entry in self.plugins if entry.key == name.partition("@")[0]], name)

    def forbidden_plugins(self, name: str) -> tuple[LeftOut, ...]:
        """Return the hook plugins that `name` would stand for if their distributions were allowed."""
        return _called(self.left_out_plugins, name)

    def find(self, key: str) -> Entry:
        """Return the one entry for `key`. Raises `ComponentError` if there is none, or more than one."""
        found = self.candidates(key)
        if not found:
            raise ComponentError(self._unknown(key))
        return _only(found, key)

    def plugin(self, name: str) -> Any:
        """Return the hook plugin called `name`, imported; a class is constructed. Raises `ComponentError`."""
        found = self.plugin_candidates(name)
        for left_out in self.forbidden_plugins(name) if not found else ():
            raise ComponentError(f"the hook plugin '{name}' {left_out.reason}")
        if not found:
            installed = ", ".join(sorted(entry.key for entry in self.plugins)) or "none"
            raise ComponentError(f"no hook plugin '{name}' is installed; there are: {installed}")
        target = _only(found, name).load()
        return target() if isinstance(target, type) else target

    def reader(self, entry: Entry) -> Entry | None:
        """Return the static reader that the distribution of a frontend's entry advertises for it, or None."""
        for reader in self.readers:
            if (reader.key, reader.distribution) == (entry.key, entry.distribution):
                return reader
        return None

    def schema(self, entry: Entry) -> Entry | None:
        """Return what the distribution of a frontend's entry advertises as the schema of its definitions, or None."""
        for schema in self.schemas:
            if (schema.key, schema.distribution) == (entry.key, entry.distribution):
                return schema
        return None

    def keys(self, kind: str | None = None) -> list[str]:
        """Return the known keys, of one kind if given, in order."""
        return sorted(key for key in self._entries if kind is None or key.startswith(f"{kind}."))

    def entries(self) -> list[Entry]:
        """Return all entries, by key and distribution."""
        return [entry for key in self.keys() for entry in self.candidates(key)]

    def suggest(self, key: str) -> str | None:
        """Return the known key that `key` was probably meant to be: of its kind, of its name, or the nearest of all."""
        bare = key.partition("@")[0]
        kind, _, name = bare.partition(".")
        same_kind = {known.partition(".")[2]: known for known in self.keys(kind)}
        meant = nearest(name, same_kind)
        if meant is not None:
            return same_kind[meant]
        same_name = [known for known in self.keys() if known.partition(".")[2] == (name or bare)]
        return next(iter(same_name), None if same_kind else nearest(bare, self.keys()))

    def explanations(self) -> tuple[str, ...]:
        """Return why an installed component may be unknown: unreadable metadata, and what was left out."""
        return (*(f"{name}: {reason}" for name, reason in self.broken), *self.notes)

    def register_module(
        self, key: str, target: Any, signature_policy: SignaturePolicy = "strict", tags: Iterable[str] = ()
    ) -> None:
        """Add a component of local code: an object, or `"module:attribute"`.

        Raises `ComponentError` if `key` has no kind, or is taken by other local code.
        """
        if "." not in key.strip("."):
            raise ComponentError(f"'{key}' is no component key: it must be <kind>.<name>, such as loss.{key}")
        others = self._entries.setdefault(key, [])
        if any(entry.origin == "registered" for entry in others):
            raise ComponentError(f"'{key}' is registered twice by local code")
        reference = target if isinstance(target, str) else f"{target.__module__}:{target.__qualname__}"
        live = None if isinstance(target, str) else target
        entry = Entry(key, reference, "local", "", signature_policy, tuple(tags), "registered", live=live)
        others[:] = [other for other in others if other.origin != "local"] + [entry]

    def register_op(self, key: str, target: Any) -> None:
        """Add a runtime operation of graph models under `op.<key>`."""
        self.register_module(f"op.{key}", target)

    def get_module(self, key: str) -> Entry:
        """Return the entry for `key`; its `.target` is the object. Raises `ComponentError` as `find` does."""
        return self.find(key)

    def list_modules(self) -> list[str]:
        """Return all keys, in order."""
        return self.keys()

    def with_local(self, entries: Iterable[Entry]) -> Registry:
        """Return a registry that also knows `entries` of local code; what is registered already stays."""
        known = self.entries()
        registered = {entry.key for entry in known if entry.origin == "registered"}
        local = [entry for entry in entries if entry.key not in registered]
        return Registry(
            [*known, *local],
            left_out=self.left_out,
            left_out_plugins=self.left_out_plugins,
            broken=self.broken,
            plugins=self.plugins,
            readers=self.readers,
            renames=self.renames,
            schemas=self.schemas,
            notes=self.notes,
        )

    def _unknown(self, key: str) -> str:
        for left_out in self.forbidden(key):
            return f"'{key}' {left_out.reason}"
        kind = key.partition(".")[0]
        meant = self.suggest(key)
        hint = f"; did you mean '{meant}'?" if meant else ""
        known = ", ".join(self.keys(kind)) or "none"
        lines = [f"no component '{key}' is installed{hint}", f"  of this kind there are: {known}"]
        return "\n".join([*lines, *(f"  {explanation}" for explanation in self.explanations())])


def _only(found: tuple[Entry, ...], key: str) -> Entry:
    if len(found) > 1:
        offers = " and ".join(entry.label for entry in found)
        decide = " or ".join(f"{key}@{entry.distribution}" for entry in found)
        raise ComponentError(f"'{key}' is offered by {offers}\n  to mend it: write {decide}")
    return found[0]


def _called(left_out: Iterable[LeftOut], key: str) -> tuple[LeftOut, ...]:
    by_entry = {id(each.entry): each for each in left_out if each.entry.key == key.partition("@")[0]}
    return tuple(by_entry[id(entry)] for entry in _of_distribution([each.entry for each in by_entry.values()], key))


def _of_distribution(entries: Iterable[Entry], key: str) -> tuple[Entry, ...]:
    _, at, distribution = key.partition("@")
    wanted = (entry for entry in entries if not at or normalized(entry.distribution) == normalized(distribution))
    return tuple(sorted(wanted, key=lambda entry: entry.distribution))
