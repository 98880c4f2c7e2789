"""Why a value is what it is: what it is for, what else could stand there, and every assignment that led to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.config import Config, is_secret_key, join_path, masked_node, parent_path, split_path
from offline_trainer_core.config.dump import to_inline_yaml
from offline_trainer_core.config.secret_names import is_secret_path
from offline_trainer_core.errors import Location, UsageError
from offline_trainer_core.explain.meanings import FIELDS, Meaning, as_yaml, known_paths, meaning_of
from offline_trainer_core.explain.provenance import Step, history_of, way_to
from offline_trainer_core.plan.document import Mention
from offline_trainer_core.plan.names import Names, resolve_names
from offline_trainer_core.signature import Signature
from offline_trainer_core.signature.docstrings import documented, first_sentence
from offline_trainer_core.spelling import did_you_mean, nearest

__all__ = ["Argument", "Explanation", "Origin", "explain"]


@dataclass(frozen=True)
class Origin:
    """Where a component comes from."""

    key: str
    distribution: str
    version: str
    reference: str
    """`module:attribute`."""
    file: str | None
    line: int | None
    summary: str
    """The first sentence of its docstring."""


@dataclass(frozen=True)
class Argument:
    """One argument of a component, or key of a section, given or not."""

    name: str
    is_given: bool
    value: Any
    """As given, secrets masked; None where it is not given."""
    location: Location | None
    """Where it is given."""
    default: str | None
    """As YAML or, where that cannot be told, as the source has it; None where the argument has none."""
    description: str


@dataclass(frozen=True)
class Explanation:
    """Everything that is known of one path. Secrets are masked."""

    path: str
    is_set: bool
    value: Any
    """None where nothing is set."""
    role: str
    """What stands there, such as `argument 'lr' of optim_cls.AdamW`; empty where nothing installed tells."""
    description: str
    takes: str
    """The type, as people read it."""
    allowed: tuple[str, ...]
    default: str | None
    required: bool
    component: Origin | None
    """The component that the path names, or whose argument it is."""
    names_component: bool
    arguments: tuple[Argument, ...]
    """Those of the component, where the path names one; the keys of `run` and `settings`."""
    history: tuple[Step, ...]
    """Every assignment, newest first."""
    through: tuple[tuple[str, Step], ...]
    """The path and assignment of what encloses the value and was interpolated or merged as a whole."""


def explain(config: Config, registry: Registry, path: str) -> Explanation:
    """Explain the value at `path`, or what would stand there if it were set. Imports nothing.

    Raises `UsageError` where `path` is neither set nor known to the language or to a component that is named.
    """
    if not split_path(path):
        raise UsageError("the empty path is the whole configuration: name a value in it, such as run.seed")
    names = resolve_names(config, registry)
    document, inner = _document_of(config, names, path)
    node = document.find(inner) if inner else document.root
    meaning = meaning_of(names, path)
    if node is None and (meaning is None or not meaning.can_be_absent):
        raise UsageError(_unknown(config, names, path))
    meaning = meaning or Meaning("")
    entry = meaning.entry
    secret = is_secret_path(split_path(path))
    return Explanation(
        path=path,
        is_set=node is not None,
        value=None if node is None else masked_node(node, secret),
        role=meaning.role,
        description=meaning.description,
        takes=meaning.takes,
        allowed=meaning.allowed,
        default=meaning.default,
        required=meaning.required,
        component=None if entry is None else _origin(entry, names.signature(entry)),
        names_component=meaning.is_component,
        arguments=_arguments(names, path, document) if meaning.is_component or path in FIELDS else (),
        history=history_of(document, inner),
        through=way_to(document, inner),
    )


def _document_of(config: Config, names: Names, path: str) -> tuple[Config, str]:
    """Return the text in which `path` lies, the experiment or a model file that it names, and the path there."""
    for prefix, file in names.plan.model_files.items():
        if path.startswith(f"{prefix}."):
            return file, path.removeprefix(f"{prefix}.")
    return config, path


def _origin(entry: Entry, signature: Signature | None) -> Origin:
    file, line, doc = (signature.file, signature.line, signature.doc) if signature else (None, None, "")
    distribution = entry.distribution if entry.origin == "installed" else "local code"
    return Origin(entry.key, distribution, entry.version, entry.reference, file, line, first_sentence(doc))


def _arguments(names: Names, path: str, document: Config) -> tuple[Argument, ...]:
    """Return what may be given at `path`: arguments of a component that is named there, or keys of the language."""
    if path in FIELDS:
        fields = FIELDS[path]
        texts = {key: None if field.required else to_inline_yaml(field.default) for key, field in fields.items()}
        return tuple(
            _argument(document, join_path(path, key), key, texts[key], field.description)
            for key, field in fields.items()
        )
    place = parent_path(path) if split_path(path)[-1] in ("_type_", "_target_") else path
    for mention, entry in names.resolved:
        signature = names.signature(entry)
        if mention.place == place and mention.factory is None and signature is not None:
            return tuple(_of_signature(mention, signature))
    return ()


def _of_signature(mention: Mention, signature: Signature) -> Iterator[Argument]:
    """Yield the arguments of a component, then those that are given and that its signature lacks."""
    document, docs, given = mention.document.config, documented(signature), _given(mention, signature)
    for parameter in signature.parameters:
        if not parameter.kind.startswith("var_"):
            place = given.pop(parameter.name, None)
            default = as_yaml(parameter.default) if parameter.has_default else None
            yield _argument(document, place, parameter.name, default, docs.get(parameter.name, ""))
    for name, place in given.items():
        yield _argument(document, place, name, None, docs.get(name, ""))


def _given(mention: Mention, signature: Signature) -> dict[str, str]:
    """Return where each argument that is given stands."""
    args, _, paths = mention.arguments()
    place = join_path(mention.path, "_args_")
    by_position = {p.name: join_path(place, index) for index, p in enumerate(signature.positional[: len(args)])}
    return {**by_position, **paths}


def _argument(config: Config, path: str | None, name: str, default: str | None, description: str) -> Argument:
    node = config.find(path) if path is not None else None
    if node is None:
        return Argument(name, False, None, None, default, description)
    return Argument(name, True, masked_node(node, is_secret_key(name)), node.location, default, description)


def _unknown(config: Config, names: Names, path: str) -> str:
    """Return what to say of a path that is neither set nor known: the nearest beside it, below it, or anywhere."""
    paths = list(dict.fromkeys([*(place for place, _ in config.walk() if place), *known_paths(names)]))
    parent = parent_path(path)
    beside = {str(split_path(other)[-1]): other for other in paths if parent_path(other) == parent}
    leaf = str(split_path(path)[-1])
    elsewhere = [other for other in paths if str(split_path(other)[-1]) == leaf]
    near = nearest(leaf, beside)
    meant = beside[near] if near else elsewhere[0] if len(elsewhere) == 1 else None
    hint = f"; did you mean '{meant}'?" if meant else "" if beside else did_you_mean(path, paths)
    return f"'{path}' is not set, and nothing known stands there{hint}"
