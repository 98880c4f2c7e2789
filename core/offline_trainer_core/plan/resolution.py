"""Finds the entry that a name stands for, or says why there is none, or why it cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from offline_trainer_core.catalogue import Entry, LeftOut, Registry
from offline_trainer_core.config import Config, Found
from offline_trainer_core.errors import Problem
from offline_trainer_core.installed import normalized
from offline_trainer_core.plan.document import Mention
from offline_trainer_core.plan.fields import shortened
from offline_trainer_core.plan.imports import allows
from offline_trainer_core.plan.local import LocalModule
from offline_trainer_core.plan.renames import Renames, renamed_component
from offline_trainer_core.plan.specs import TARGET
from offline_trainer_core.signature import find_spec
from offline_trainer_core.spelling import listing, nearest

__all__ = ["Resolver"]

_SETTING = "settings.allowed_distributions"


class Resolver(NamedTuple):
    """Resolves mentions against what is installed and what local modules register."""

    registry: Registry
    config: Config
    local_modules: tuple[LocalModule, ...] = ()

    def resolve(self, mention: Mention, problems: Found) -> Entry | None:
        """Return the entry that `mention` names, or None; add what is wrong to `problems`."""
        if mention.key.startswith(TARGET):
            return self._target(mention, problems)
        allowed = self.offers(mention.key)
        if len(allowed) != 1:
            left_out = self._left_out(mention.key)
            problems.append(
                _ambiguous(mention, allowed)
                if allowed
                else _not_allowed(mention, left_out)
                if left_out
                else self._unknown(mention)
            )
            return None
        entry = allowed[0]
        if mention.kinds and entry.kind not in mention.kinds:
            problems.append(self._wrong_kind(mention, entry))
            return None  # its arguments are beside the point
        problems += _unusable(mention, entry)
        return entry

    def offers(self, key: str) -> list[Entry]:
        """Return the entries that `key` may stand for."""
        return [entry for entry in self.registry.candidates(key) if self._is_allowed(entry)]

    def _is_allowed(self, entry: Entry) -> bool:
        names = self.config.plain(_SETTING)
        if entry.origin != "installed" or not isinstance(names, list):
            return True
        return entry.distribution in {normalized(str(name)) for name in names}

    def _left_out(self, key: str) -> list[LeftOut]:
        """Return the components that `key` may not stand for."""
        found = self.registry.candidates(key)
        here = [LeftOut(entry, (_SETTING,)) for entry in found if not self._is_allowed(entry)]
        return [*here, *self.registry.forbidden(key)]

    def _target(self, mention: Mention, problems: Found) -> Entry | None:
        reference = mention.key.removeprefix(TARGET)
        if ":" not in reference:
            reference = ":".join(reference.rpartition(".")[::2])
        if self.config.plain("settings.allow_target") is not True:
            fix = "name an installed component with _type_, or set settings.allow_target: true"
            problems.append(mention.problem("target-not-allowed", "'_target_' is off", fix=fix))
        elif not all(map(str.isidentifier, reference.replace(":", ".").split("."))):
            message = f"'{shortened(mention.key.removeprefix(TARGET))}' does not name an attribute of a module"
            problems.append(mention.problem("target-form", message, allowed="module.attribute"))
        elif not allows(self.config, reference.partition(":")[0]):
            message = f"{shortened(reference.partition(':')[0])} is not under settings.allowed_import_prefixes"
            problems.append(mention.problem("import-not-allowed", message, fix=_prefix_fix(reference)))
        elif find_spec(reference.partition(":")[0]) is None:
            message = f"there is no module {reference.partition(':')[0]}"
            problems.append(mention.problem("missing-module", message))
        else:
            return Entry(mention.key, reference, origin="target")
        return None

    def _unknown(self, mention: Mention) -> Problem:
        if (renamed := renamed_component(mention, self.registry.renames)) is not None:
            return renamed
        computed = [f"{module.name}:{line}" for module in self.local_modules for line in module.unseen]
        if computed and not mention.implied:
            message = f"'{mention.key}' is not known; it may be registered where that cannot be seen without importing"
            return mention.problem("unseen-component", message, severity="warning", notes=(", ".join(computed),))
        kinds = mention.kinds or (mention.key.partition(".")[0],)
        known = [key for kind in kinds for key in self.registry.keys(kind)]
        bare = mention.key.partition("@")[0]
        same_name = (key for key in known if key.partition(".")[2] == bare.rpartition(".")[2])
        meant = next(same_name, None) or nearest(bare, known)
        if meant is None and not mention.kinds:
            meant = self.registry.suggest(bare)
        return mention.problem(
            "unknown-component",
            _unknown_message(mention),
            suggestion=meant.removeprefix(mention.prefix) if meant else None,
            allowed=listing(key.removeprefix(mention.prefix) for key in known),
            notes=(*self.registry.explanations(), *Renames(self.registry.renames).explanations()),
            fix=_install(mention) if mention.implied else None,
        )

    def _wrong_kind(self, mention: Mention, entry: Entry) -> Problem:
        known = [key for kind in mention.kinds for key in self.registry.keys(kind)]
        same_name = [key for key in known if key.rpartition(".")[2] == entry.name.rpartition(".")[2]]
        wanted = " or ".join(f"{kind}.*" for kind in mention.kinds)
        return mention.problem(
            "wrong-kind",
            f"'{entry.key}' is of kind '{entry.kind}', and '{mention.place}' takes {wanted}",
            suggestion=next(iter(same_name), None),
            allowed=listing(known),
        )


def _unknown_message(mention: Mention) -> str:
    bare, at, distribution = mention.key.partition("@")
    if at:
        return f"{shortened(distribution)} offers no component '{shortened(bare)}'"
    if mention.implied:
        return f"the section '{mention.path}' is absent, and its default '{bare}' is not installed"
    return f"no component '{shortened(bare.removeprefix(mention.prefix) if mention.prefix else bare)}' is installed"


def _install(mention: Mention) -> str:
    return f"pip install ot-builtins, or name another component under {mention.path}"


def _prefix_fix(reference: str) -> str:
    return f"settings: {{allowed_import_prefixes: [{reference.partition('.')[0].partition(':')[0]}]}}"


def _ambiguous(mention: Mention, found: Iterable[Entry]) -> Problem:
    offers = list(found)
    names = " and ".join(entry.label for entry in offers)
    decide = " or ".join(f"{mention.key.removeprefix(mention.prefix)}@{entry.distribution}" for entry in offers)
    notes = tuple(f"{entry.label}: {entry.reference}" for entry in offers)
    return mention.problem(
        "ambiguous-component", f"'{mention.key}' is offered by {names}", notes=notes, fix=f"write {decide}"
    )


def _not_allowed(mention: Mention, left_out: Sequence[LeftOut]) -> Problem:
    first = left_out[0]
    implied = f"the section '{mention.path}' is absent, and its default " if mention.implied else ""
    fix = f"add {first.entry.distribution} to {' and to '.join(first.forbidden_by)}"
    return mention.problem("distribution-not-allowed", f"{implied}'{mention.key}' {first.reason}", fix=fix)


def _unusable(mention: Mention, entry: Entry) -> Iterator[Problem]:
    """Yield why an entry that was found will not work here: wrong core, missing extra, missing module."""
    refusal = entry.refusal()
    if refusal is not None:
        message, _, fix = refusal.partition("\n  to mend it: ")
        yield mention.problem("incompatible-plugin", f"{entry.key} of {entry.label} cannot be used: {message}", fix=fix)
    missing = entry.missing_extras()
    if missing:
        message = f"{entry.key} of {entry.label} needs {', '.join(missing)}, which is not installed"
        yield mention.problem("missing-extra", message, fix=entry.extras_command)
    module = entry.reference.partition(":")[0]
    if entry.origin == "installed" and find_spec(module.partition(".")[0]) is None:
        message = f"{entry.key} of {entry.label} should be in the module {module}, which is not there"
        yield mention.problem("missing-module", message, fix=f"pip install --force-reinstall {entry.distribution}")
