"""In what a run that goes on from a checkpoint differs from the one that wrote it, and what each difference does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from offline_trainer_core.catalogue import Entry
from offline_trainer_core.config import split_path
from offline_trainer_core.config.dump import to_inline_yaml
from offline_trainer_core.explain import Side, Subject, compare
from offline_trainer_core.plan.sections import MODEL_OPTIONS, RUN, SECTIONS, Effect, is_free
from offline_trainer_core.signature import class_attribute

__all__ = ["Deviation", "code_deviations", "config_deviations", "environment_deviations"]

_WIDEST = 60
"""Characters of a value that a message shows."""


@dataclass(frozen=True)
class Deviation:
    """One difference that is not harmless: where, what it was, what it is, and what it does to the training."""

    path: str
    before: str
    after: str
    effect: Effect

    @property
    def section(self) -> str:
        """The top-level section in which it stands."""
        return str(split_path(self.path)[0])

    def __str__(self) -> str:
        return f"{self.path}: {self.before} -> {self.after}"


def config_deviations(before: Subject, after: Subject) -> Iterator[Deviation]:
    """Yield in what two configurations differ, as far as that changes what is trained, or its rounding."""
    for difference in compare(before, after):
        change = difference.change
        sides = [(subject, side) for subject, side in ((before, change.before), (after, change.after)) if side]
        effects = {effect_of(subject, side.path) for subject, side in sides}
        effect: Effect = "training" if "training" in effects else "rounding" if "rounding" in effects else "none"
        if effect != "none" and not difference.is_default:
            yield Deviation(change.path, *_in_words(change.kind, change.before, change.after), effect)


def effect_of(subject: Subject, path: str) -> Effect:
    """Return what a change at `path` does: as the language, or the component there, says; else `training`."""
    keys = split_path(path)
    known = _by_language(keys)
    return "none" if known == "training" and _is_harmless(subject, keys) else known


def code_deviations(before: Mapping[str, Any], after: Mapping[str, Any], subject: Subject) -> Iterator[Deviation]:
    """Yield the packages, local modules and targets that two plans (`Plan.to_json`) have in common and that changed.

    What one of them names and the other does not is a difference of the configuration. A package of which `subject`
    uses only what cannot change the training is left out.
    """
    entries = subject.names.plan.entries
    used = {entry.distribution for path, entry in entries.items() if effect_of(subject, path) != "none"}
    for name, was, now in _common(before, after, "distributions"):
        if name in used:
            yield Deviation(name, *_versions(was, now), "training")
    for name, _, _ in _common(before, after, "local"):
        yield Deviation(name, "the code that it was", "other code", "training")
    for path, was, now in _common(before, after, "entries"):
        if was["key"] != now["key"] or effect_of(subject, path) == "none":
            continue
        source, target = (f"{entry['reference']} of {entry['distribution']}" for entry in (was, now))
        if source != target:
            yield Deviation(path, source, target, "training")


def environment_deviations(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield in what two environments differ, in words; what only one of them tells makes no difference."""
    for name, now in after.items():
        was = before.get(name, now)
        if was != now:
            yield f"{name} {now} instead of {was}"


def _by_language(keys: tuple[str | int, ...]) -> Effect:
    head = str(keys[0])
    if is_free(head):
        return "none"
    if head == "run" and len(keys) > 1 and keys[1] in RUN:
        return RUN[str(keys[1])].effect
    if keys[:2] == ("model", "components") and len(keys) > 3 and keys[3] in MODEL_OPTIONS:
        return MODEL_OPTIONS[str(keys[3])].effect
    return SECTIONS[head].effect if head in SECTIONS else "training"


def _is_harmless(subject: Subject, keys: tuple[str | int, ...]) -> bool:
    """Whether a component around `keys` declares itself, or its argument in which they stand, harmless."""
    for mention, entry in subject.names.resolved:
        place = split_path(mention.place)
        if keys[: len(place)] == place:
            declared = _declared(entry, subject)
            inside = [key for key in keys[len(place) :] if key != "_kwargs_"]
            if declared is True or (isinstance(declared, tuple) and inside and inside[0] in declared):
                return True
    return False


def _declared(entry: Entry, subject: Subject) -> Any:
    """Return the class attribute `harmless` of a component: True, or the names of arguments."""
    if entry.live is not None:
        return getattr(entry.live, "harmless", None)
    folders = subject.names.folders if entry.origin == "local" else ()
    return class_attribute(entry.reference, "harmless", folders)


def _in_words(kind: str, before: Side | None, after: Side | None) -> tuple[str, str]:
    if kind == "moved" and before is not None and after is not None:
        return f"at {before.path}", f"at {after.path}"
    return tuple("(absent)" if side is None else _short(to_inline_yaml(side.value)) for side in (before, after))  # type: ignore[return-value]


def _versions(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str]:
    if was["version"] != now["version"]:
        return str(was["version"]), str(now["version"])
    return f"{was['version']} ({was['code']})", f"{now['version']} ({now['code']})"


def _common(before: Mapping[str, Any], after: Mapping[str, Any], part: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield what two plans have both in `part`, and not alike."""
    ours, theirs = before.get(part, {}), after.get(part, {})
    for name in theirs:
        if name in ours and ours[name] != theirs[name]:
            yield name, ours[name], theirs[name]


def _short(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
