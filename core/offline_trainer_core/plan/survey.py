"""Walks a configuration once: which sections and forms it has, and where it names components."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, Found, MappingNode, Node, ScalarNode, SequenceNode, join_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.document import Document, Mention, is_null, is_spec
from offline_trainer_core.plan.fields import check_fields, check_value, unknown_key
from offline_trainer_core.plan.model_forms import ModelForms
from offline_trainer_core.plan.sections import RUN, SECTIONS, SETTINGS, Section, is_free
from offline_trainer_core.plan.specs import SpecWalk

__all__ = ["Survey", "survey"]


class Survey(NamedTuple):
    """What one walk found."""

    mentions: list[Mention]
    problems: Found
    model_files: dict[str, Config]
    """The resolved model files, by the path of the node that names them."""


def survey(config: Config, registry: Registry) -> Survey:
    """Return every name of a component in `config` and in the model files that it names, and what is wrong in form."""
    walk = SpecWalk(strict=_strict(config))
    models = ModelForms(walk, registry)
    document = Document(config)
    walk.problems += _top_level_keys(document)
    for key, section in SECTIONS.items():
        node = config.root.get(key)
        if is_null(node) and not (section.required and node is None):
            walk.mentions += _implied(document, key, section)
        elif node is not None and section.form == "model":
            models.read(document, node, key)
        elif node is not None:
            _section(document, key, node, section, walk)
    return Survey(walk.mentions, walk.problems, models.files)


def _strict(config: Config) -> bool:
    return config.plain("settings.strict") is not False


def _top_level_keys(document: Document) -> Iterator[Problem]:
    root = document.config.root
    for key in root.items:
        if key not in SECTIONS and not is_free(key):
            yield unknown_key(document, "", key, SECTIONS)
    for key, section in SECTIONS.items():
        if section.required and key not in root.items:
            yield document.problem("missing-section", f"the section '{key}' is missing", key, fix=f"add {key}: ...")


def _implied(document: Document, key: str, section: Section) -> Iterator[Mention]:
    supervised = {"io", "loss"} & set(document.config.root.items)
    if section.implied and (key != "algorithm" or supervised):
        yield Mention(document, key, section.implied, implied=True)


def _section(document: Document, key: str, node: Node, section: Section, walk: SpecWalk) -> None:
    if section.form == "spec":
        walk.slot(document, node, key, section.kinds)
    elif section.form == "specs":
        _list(document, node, key, section, walk)
    elif section.form == "named":
        _named(document, node, key, section, walk)
    elif section.form == "values":
        walk.problems += check_value(document, key, section.annotation)
    elif key == "settings":
        walk.problems += check_fields(document, key, SETTINGS)
    else:
        _run(document, key, walk)


def _list(document: Document, node: Node, key: str, section: Section, walk: SpecWalk) -> None:
    if not isinstance(node, SequenceNode):
        fix = "write each component as an item: '- _type_: ...'"
        walk.problems.append(document.problem("wrong-type", f"'{key}' takes a list of specs", key, fix=fix))
        return
    for index, item in enumerate(node.items):
        walk.slot(document, item, join_path(key, index), section.kinds)


def _named(document: Document, node: Node, key: str, section: Section, walk: SpecWalk) -> None:
    """Take a spec, or a mapping from names to specs."""
    named = isinstance(node, MappingNode) and any(isinstance(item, MappingNode) for item in node.items.values())
    if not isinstance(node, MappingNode) or is_spec(node) or not named or not node.is_complete:
        walk.slot(document, node, key, section.kinds)
        return
    for name, item in node.items.items():
        if not is_null(item):
            walk.slot(document, item, join_path(key, name), section.kinds)


def _run(document: Document, key: str, walk: SpecWalk) -> None:
    walk.problems += check_fields(document, key, RUN)
    for kind in ("strategy", "launcher"):
        path = join_path(key, kind)
        node = document.config.find(path)
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            name = node.value if node.value.startswith(f"{kind}.") else f"{kind}.{node.value}"
            walk.mentions.append(Mention(document, path, name, (kind,), caret=path, prefix=f"{kind}."))
        elif isinstance(node, MappingNode):
            walk.slot(document, node, path, (kind,))
        elif kind == "launcher":
            walk.mentions.append(Mention(document, path, "launcher.local", implied=True))
        else:  # the number of processes decides between the two
            walk.mentions += [
                Mention(document, join_path(path, name), f"strategy.{name}", implied=True) for name in ("single", "ddp")
            ]
