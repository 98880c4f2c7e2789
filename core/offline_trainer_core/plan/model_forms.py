"""Reads the `model` section: one network or several named ones, each by a frontend, a spec, or a file."""

from __future__ import annotations

import os
from dataclasses import replace

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, MappingNode, Node, inclusions, join_path, refusal, try_resolve
from offline_trainer_core.errors import Location, Problem
from offline_trainer_core.plan.document import Document, Mention, below, is_spec, text_of
from offline_trainer_core.plan.fields import check_fields, unknown_key
from offline_trainer_core.plan.sections import MODEL_OPTIONS, SECTIONS, is_free
from offline_trainer_core.plan.specs import SpecWalk
from offline_trainer_core.spelling import nearest

__all__ = ["ModelForms"]

KINDS = SECTIONS["model"].kinds
EXAMPLE = "sequential: {inputs: [x], layers: [...]}"


class ModelForms:
    """Finds what the `model` section names, model files included. `files` holds those, by the path that names them."""

    def __init__(self, walk: SpecWalk, registry: Registry) -> None:
        self.files: dict[str, Config] = {}
        self._walk = walk
        self._frontends = [key.partition(".")[2] for key in registry.keys("frontend")]
        self._frontends += [each.entry.name for each in registry.left_out if each.entry.kind == "frontend"]

    def read(self, document: Document, node: Node, path: str) -> None:
        """Take the model at `path`: one of the forms, or `components` of them."""
        components = node.get("components") if isinstance(node, MappingNode) and not is_spec(node) else None
        if not isinstance(node, MappingNode) or components is None:
            self._one(document, node, path, files=True, also="components")
            return
        if not isinstance(components, MappingNode) or not components.items:
            message = "'components' takes a mapping from names to models"
            self._walk.problems.append(document.problem("wrong-type", message, join_path(path, "components")))
            return
        for key in node.items:
            if key != "components":
                self._walk.problems.append(unknown_key(document, path, key, ["components"]))
        for name, component in components.items.items():
            if not self._walk.problems.is_full:
                self._component(document, component, join_path(join_path(path, "components"), name))

    def _component(self, document: Document, node: Node, path: str) -> None:
        if isinstance(node, MappingNode):
            options = {key: field for key, field in MODEL_OPTIONS.items() if key in node.items}
            self._walk.problems += check_fields(document, path, options, known=node.items)
        self._one(document, node, path, files=True, ignored=tuple(MODEL_OPTIONS))

    def _one(
        self, document: Document, node: Node, path: str, files: bool, ignored: tuple[str, ...] = (), also: str = ""
    ) -> None:
        """Take one model: a spec, a frontend or, where `files` allows it, a file or its content."""
        if is_spec(node):
            self._walk.slot(document, node, path, KINDS, ignored)
            return
        forms = [*self._frontends, *(("config_path", "config") if files else ())]
        allowed = f"{', '.join([*forms, *([also] if also else [])])}, or a spec with _type_"
        if not isinstance(node, MappingNode):
            fix = f"{path}: {{_type_: {text_of(node)}}}" if text_of(node) else EXAMPLE
            problem = document.problem("wrong-type", f"'{path}' takes a model", path, allowed=allowed, fix=fix)
            self._walk.problems.append(problem)
            return
        self._walk.problems += (
            unknown_key(document, path, key, [*forms, *([also] if also else []), *ignored])
            for key in node.items
            if key not in forms and key not in ignored
        )
        given = [key for key in node.items if key in forms]
        if len(given) != 1:
            self._wrong_count(document, node, path, given, allowed)
        for key in given:
            self._form(document, node.items[key], join_path(path, key), key)

    def _wrong_count(self, document: Document, node: MappingNode, path: str, given: list[str], allowed: str) -> None:
        unknown = [key for key in node.items if nearest(key, self._frontends)]
        if given:
            place, message = join_path(path, given[1]), f"'{path}' takes one form, and has {' and '.join(given)}"
            self._walk.problems.append(document.problem("one-form", message, place, at_key=True, allowed=allowed))
        elif not unknown:  # a misspelled frontend has been reported
            fix = EXAMPLE if self._frontends else "pip install ot-policy-constructor"
            message = f"'{path}' does not say how the model is built"
            self._walk.problems.append(document.problem("one-form", message, path, allowed=allowed, fix=fix))

    def _form(self, document: Document, node: Node, path: str, form: str) -> None:
        if form == "config_path":
            self._file(document, node, path)
        elif form == "config":
            self._content(document, node, path)
        else:
            self._walk.mentions.append(Mention(document, path, f"frontend.{form}", ("frontend",), path))
            self._walk.inside(document, node, path)

    def _content(self, document: Document, node: Node, path: str) -> None:
        """Take what a model file holds: `schema_version` and `model`."""
        for key in node.items if isinstance(node, MappingNode) else ():
            if key not in ("schema_version", "model") and not is_free(key):
                self._walk.problems.append(unknown_key(document, path, key, ["schema_version", "model"]))
        model = node.get("model") if isinstance(node, MappingNode) else None
        if model is None:
            message = "a model file holds 'schema_version: 1' and 'model: ...'"
            self._walk.problems.append(document.problem("missing-section", message, path))
            return
        self._one(document, model, join_path(path, "model"), files=False)

    def _file(self, document: Document, node: Node, path: str) -> None:
        name = text_of(node)
        if not name:
            self._walk.problems.append(document.problem("wrong-type", f"'{path}' takes the path of a file", path))
            return
        file = _beside(node, document.config, os.path.expanduser(name))
        if reason := refusal(file):
            message = f"the file '{file}' is not read: {reason}"
            self._walk.problems.append(document.problem("unreadable-file", message, path))
            return
        config, problems = try_resolve(file)
        included = dict(document.config.included)
        if node.location is not None:
            included[file] = node.location
        chain = tuple(inclusions(Location(file, 1, 1), included))
        self._walk.problems += [_placed(problem, document, path, chain) for problem in problems]
        if config is None:
            return
        config = replace(config, included={**included, **config.included})
        inner = Document(config, document.place(path))
        self.files[inner.prefix] = config
        self._walk.problems += _version(inner)
        self._content(inner, config.root, "")


def _placed(problem: Problem, document: Document, path: str, chain: tuple[str, ...]) -> Problem:
    """Return a problem of a model file with the place that names the file: as notes, or where it has no other."""
    if problem.location is not None:
        place = below(document.place(path), problem.config_path)
        return replace(problem, config_path=place, notes=(*problem.notes, *chain))
    here = document.problem(problem.code, problem.message, path)
    return replace(here, suggestion=problem.suggestion, allowed=problem.allowed)


def _beside(node: Node, config: Config, named: str) -> str:
    """Return the file that is named, relative to the file in which the name stands."""
    in_file = node.location is not None and node.location.file in config.sources
    here = os.path.dirname(node.location.file) if node.location is not None and in_file else ""
    return os.path.normpath(os.path.join(here, named))


def _version(document: Document) -> list[Problem]:
    if document.config.plain("schema_version") == 1:
        return []
    place = "schema_version" if document.config.find("schema_version") else ""
    message = "a model file must say 'schema_version: 1'"
    return [document.problem("schema-version", message, place, fix="add schema_version: 1")]
