"""The `imports` and `plugins` of a configuration: local modules and hook plugins, found without importing them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.config import Config, Found, SequenceNode, join_path
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan.document import Document, text_of
from offline_trainer_core.plan.fields import shortened
from offline_trainer_core.plan.local import LocalModule, read_local_module
from offline_trainer_core.spelling import nearest

__all__ = ["allows", "find_local_modules", "find_plugins"]


def allows(config: Config, module: str) -> bool:
    """Whether `settings.allowed_import_prefixes` lets `module` be imported."""
    prefixes = config.plain("settings.allowed_import_prefixes")
    names = [str(prefix).rstrip(".") for prefix in prefixes] if isinstance(prefixes, list) else []
    return any(module == name or module.startswith(f"{name}.") for name in names)


def find_local_modules(config: Config, problems: Found) -> tuple[LocalModule, ...]:
    """Return the modules under `imports`; add what is wrong with them to `problems`."""
    document = Document(config)
    found: list[LocalModule] = []
    for path, name, is_first in _listed(document, "imports"):
        if problems.is_full:
            break
        problem = None if is_first else _twice(document, path, name)
        problem = problem or _refused(document, path, name)
        module = None if problem else read_local_module(name, _folders(config, path))
        if module is not None:
            found.append(module)
            problem = _without_register(document, path, module)
        elif problem is None:
            looked = ", ".join(str(folder) for folder in _folders(config, path))
            message = f"there is no local module '{shortened(name)}'"
            problem = document.problem("missing-module", message, path, notes=(f"looked in {looked} and on the path",))
        problems += [problem] if problem else []
    return tuple(found)


def find_plugins(config: Config, registry: Registry, problems: Found) -> dict[str, Entry]:
    """Return the hook plugins that take part, by their path; add what is wrong with them to `problems`."""
    document = Document(config)
    found = {}
    for path, name, is_first in _listed(document, "plugins"):
        if problems.is_full:
            break
        entries = registry.plugin_candidates(name)
        if not is_first:
            problems.append(_twice(document, path, name))
        elif len(entries) == 1:
            found[path] = entries[0]
        elif entries:
            decide = " or ".join(f"{name}@{entry.distribution}" for entry in entries)
            message = f"the hook plugin '{name}' is offered by {' and '.join(entry.label for entry in entries)}"
            problems.append(document.problem("ambiguous-component", message, path, fix=f"write {decide}"))
        else:
            problems.append(_no_plugin(document, path, name, registry))
    return found


def _no_plugin(document: Document, path: str, name: str, registry: Registry) -> Problem:
    """Return that the hook plugin `name` may not be used, or that there is none."""
    for left_out in registry.forbidden_plugins(name):
        message = f"the hook plugin '{shortened(name)}' {left_out.reason}"
        fix = f"add {left_out.entry.distribution} to {' and to '.join(left_out.forbidden_by)}"
        return document.problem("distribution-not-allowed", message, path, fix=fix)
    names = sorted(entry.key for entry in registry.plugins)
    message = f"no hook plugin '{shortened(name)}' is installed"
    meant, allowed = nearest(name, names), ", ".join(names) or "none is installed"
    notes = registry.explanations()
    return document.problem("unknown-plugin", message, path, suggestion=meant, allowed=allowed, notes=notes)


def _listed(document: Document, section: str) -> Iterator[tuple[str, str, bool]]:
    """Yield path, text, and whether it is the first of its text, for every string of a list."""
    node = document.config.find(section)
    seen: set[str] = set()
    for index, item in enumerate(node.items if isinstance(node, SequenceNode) else ()):
        text = text_of(item)
        if text is not None:
            yield join_path(section, index), text, text not in seen
            seen.add(text)


def _folders(config: Config, path: str) -> list[str]:
    """Return where local modules are looked for first: beside the file that names them, beside the config, here."""
    nodes = [config.find(path), config.root]
    files = [node.location.file for node in nodes if node is not None and node.location is not None]
    read = [file for file in files if file in config.sources and os.path.isfile(file)]
    return list(dict.fromkeys([*(os.path.dirname(os.path.realpath(file)) for file in read), os.getcwd()]))


def _twice(document: Document, path: str, name: str) -> Problem:
    return document.problem("duplicate-import", f"'{name}' is listed twice", path, fix=f"remove {path}")


def _refused(document: Document, path: str, name: str) -> Problem | None:
    if document.config.plain("settings.allow_imports") is False:
        return document.problem("import-not-allowed", "settings.allow_imports is false", path)
    if allows(document.config, name):
        return None
    fix = f"settings: {{allowed_import_prefixes: [{name.partition('.')[0]}]}}"
    message = f"'{shortened(name)}' is not under settings.allowed_import_prefixes"
    return document.problem("import-not-allowed", message, path, fix=fix)


def _without_register(document: Document, path: str, module: LocalModule) -> Problem | None:
    if module.has_register:
        return None
    fix = "def register(registry): registry.register_module('loss.mine', MyLoss)"
    return document.problem("no-register", f"{module.file} has no register(registry)", path, fix=fix)
