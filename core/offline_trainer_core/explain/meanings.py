"""What a path of a configuration stands for: a key of the language, a component, or an argument of one."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from offline_trainer_core.catalogue import Entry
from offline_trainer_core.config import join_path, split_path
from offline_trainer_core.config.dump import to_inline_yaml
from offline_trainer_core.plan.document import RESERVED, Mention
from offline_trainer_core.plan.names import Names
from offline_trainer_core.plan.sections import MODEL_OPTIONS, RUN, SECTIONS, SETTINGS, Field, Section, is_free
from offline_trainer_core.signature import Parameter, Signature, choices, read_type, type_in_words
from offline_trainer_core.signature.docstrings import documented

__all__ = ["FIELDS", "Meaning", "as_yaml", "known_paths", "meaning_of"]

FIELDS = {"run": RUN, "settings": SETTINGS}
"""The sections that are tables of plain values."""
_Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class Meaning:
    """What may stand at a path."""

    role: str
    """Such as `argument 'lr' of optim_cls.AdamW`."""
    description: str = ""
    takes: str = ""
    """The type, as people read it."""
    allowed: tuple[str, ...] = ()
    """The strings among the allowed values."""
    default: str | None = None
    """What holds where nothing is set, as YAML or, where that cannot be told, as the source has it."""
    required: bool = False
    entry: Entry | None = None
    """The component that the path names, or whose argument it is."""
    is_component: bool = False
    """Whether the path names the component itself."""
    can_be_absent: bool = True
    """Whether this may be said of a path that is not set."""


def meaning_of(names: Names, path: str) -> Meaning | None:
    """Return what stands at `path`, a place as the plan spells it; None where neither the language nor a component
    tells.
    """
    keys = split_path(path)
    for mention, entry in sorted(names.resolved, key=lambda found: -len(split_path(found[0].place))):
        outer = split_path(mention.place)
        if keys[: len(outer)] == outer:
            meaning = _in_component(names, mention, entry, keys[len(outer) :])
            if meaning is not None:
                return _as_section(meaning, keys)
    if path in names.plan.entries:
        entry = names.plan.entries[path]
        return Meaning(f"hook plugin {entry.key}", entry=entry, is_component=True)
    return _of_language(keys)


def known_paths(names: Names) -> Iterator[str]:
    """Yield every path that means something, set or not."""
    yield from SECTIONS
    yield from (join_path(section, key) for section, table in FIELDS.items() for key in table)
    for mention, entry in names.resolved:
        signature = names.signature(entry)
        outer = mention.factory
        if signature is not None and outer is None and (mention.spec is not None or mention.implied):
            yield from (join_path(mention.place, name) for name in signature.names)
        elif signature is not None and outer is not None and mention.passes[1]:
            place = join_path(outer.place, mention.passes[1])
            yield from (join_path(place, name) for name in signature.without_first().names)


def _in_component(names: Names, mention: Mention, entry: Entry, keys: _Keys) -> Meaning | None:
    """Return what stands at `keys` below the place where `entry` is named."""
    if not keys or keys in (("_type_",), ("_target_",)):
        return _component(names, mention, entry)
    if mention.spec is None and not mention.implied:
        role = f"in the definition of {entry.key}"
        return None if mention.factory is not None else Meaning(role, entry=entry, can_be_absent=False)
    signature = names.signature(entry)
    name, rest = _argument(keys, signature)
    if name in mention.ignored:
        return None
    if name in RESERVED:
        kind = "positional" if name == "_args_" else "keyword"
        return Meaning(f"{kind} arguments of {entry.key}", entry=entry, can_be_absent=False)
    for inner, named in names.resolved:
        if inner.factory is mention and name in inner.passes and rest:
            return _passed(names, named, name == inner.passes[0], rest)
    return _of_argument(entry, signature, name, rest)


def _component(names: Names, mention: Mention, entry: Entry) -> Meaning:
    """Return what stands where `entry` is named; a class that a factory builds is an argument of that as well."""
    meaning = Meaning(f"component {entry.key}", entry=entry, is_component=True)
    if mention.factory is None:
        return meaning
    outer = next((known for other, known in names.resolved if other is mention.factory), None)
    argument = split_path(mention.path)[len(split_path(mention.factory.path)) :]
    if outer is None:
        return meaning
    name, rest = _argument(argument, names.signature(outer))
    own = _of_argument(outer, names.signature(outer), name, rest)
    return replace(own, entry=entry, is_component=True)


def _argument(keys: _Keys, signature: Signature | None) -> tuple[str, _Keys]:
    """Return the name of the argument that stands at `keys` of a spec, and what is left of the keys inside it."""
    head, *rest = keys
    if head == "_kwargs_" and rest:
        return str(rest[0]), tuple(rest[1:])
    if head == "_args_" and rest and isinstance(rest[0], int) and signature is not None:
        positional = signature.positional
        if rest[0] < len(positional):
            return positional[rest[0]].name, tuple(rest[1:])
    return str(head), tuple(rest)


def _passed(names: Names, entry: Entry, by_position: bool, keys: _Keys) -> Meaning:
    """Return what stands at `keys` of the arguments that a factory passes on to the class `entry`."""
    signature = names.signature(entry)
    inner = signature.without_first() if signature is not None else None
    if by_position:
        name, rest = _argument(("_args_", *keys), inner)
    else:
        name, rest = str(keys[0]), keys[1:]
    return _of_argument(entry, inner, name, rest)


def _of_argument(entry: Entry, signature: Signature | None, name: str, rest: _Keys) -> Meaning:
    if signature is None:
        role = f"argument '{name}' of {entry.key}, whose source does not tell what it takes"
        return Meaning(role, entry=entry, can_be_absent=False)
    description = documented(signature).get(name, "")
    part = "part of " if rest else ""
    parameter = signature.find(name) or next((p for p in signature.positional if p.name == name), None)
    if parameter is not None:
        meaning = Meaning(f"{part}argument '{name}' of {entry.key}", description, entry=entry)
        return replace(meaning, can_be_absent=False) if rest else _with_type(meaning, parameter)
    if signature.accepts_any:
        role = f"{part}argument '{name}' of {entry.key}, which takes any"
        return Meaning(role, description, entry=entry, can_be_absent=False)
    return Meaning(f"no argument of {entry.key}", entry=entry, can_be_absent=False)


def _with_type(meaning: Meaning, parameter: Parameter) -> Meaning:
    return replace(
        meaning,
        takes=type_in_words(parameter),
        allowed=tuple(choices(parameter.annotation, module=parameter.module)),
        default=as_yaml(parameter.default) if parameter.has_default else None,
        required=not parameter.has_default,
    )


def as_yaml(source: str) -> str:
    """Return a default, given as Python source, as YAML; as it is where only Python can tell its value."""
    try:
        return to_inline_yaml(ast.literal_eval(source))
    except (SyntaxError, ValueError):
        return source


def _as_section(meaning: Meaning, keys: Sequence[str | int]) -> Meaning:
    """Add what the language says of a section that is one spec."""
    section = SECTIONS.get(str(keys[0])) if len(keys) == 1 else None
    return (
        meaning
        if section is None
        else replace(_of_section(str(keys[0]), section), entry=meaning.entry, is_component=True)
    )


def _of_language(keys: _Keys) -> Meaning | None:
    head = str(keys[0]) if keys else ""
    section = SECTIONS.get(head)
    if len(keys) == 1 and section is not None:
        return _of_section(head, section)
    if section is not None and len(keys) > 1 and keys[1] in FIELDS.get(head, {}):
        return _of_field(f"key of '{head}'", FIELDS[head][str(keys[1])], keys[2:])
    if head == "model" and len(keys) > 3 and keys[1] == "components" and keys[3] in MODEL_OPTIONS:
        return _of_field(f"option of the model component '{keys[2]}'", MODEL_OPTIONS[str(keys[3])], keys[4:])
    if is_free(head):
        return Meaning("value to interpolate from", can_be_absent=False)
    if section is not None:
        return Meaning(f"in the section '{head}'", section.description, can_be_absent=False)
    return None


def _of_section(name: str, section: Section) -> Meaning:
    implied = section.implied or (to_inline_yaml(section.default) if section.default is not None else None)
    takes = str(read_type(section.annotation))
    return Meaning(f"section '{name}'", section.description, takes, default=implied, required=section.required)


def _of_field(role: str, field: Field, rest: _Keys) -> Meaning:
    if rest:
        return Meaning(f"part of a {role}", field.description, can_be_absent=False)
    default = None if field.required else to_inline_yaml(field.default)
    takes, allowed = str(read_type(field.annotation)), choices(field.annotation)
    return Meaning(role, field.description, takes, allowed, default, field.required)
