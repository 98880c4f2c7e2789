"""What of a configuration a policy is made of, and which installed code that names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, resolve_config, split_path
from offline_trainer_core.config.dump import escaped
from offline_trainer_core.errors import ConfigError
from offline_trainer_core.plan import Plan
from offline_trainer_core.plan.names import resolve_names
from offline_trainer_core.plan.sections import MODEL_OPTIONS
from offline_trainer_core.run import build_registry

__all__ = ["Planned", "definition_of", "planned"]

_SECTIONS = ("settings", "imports", "model", "normalize", "relative", "io", "loss", "algorithm")
"""What acting needs: no data, optimizers, callbacks or loggers, whose packages need not be installed."""


def definition_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections of a resolved configuration that a policy is built from, as plain data."""
    kept = {section: config[section] for section in _SECTIONS if config.get(section) is not None}
    components = kept["model"].get("components")
    if components is not None:  # what training began with: a policy has its own weights
        bare = {name: _without(component, MODEL_OPTIONS) for name, component in components.items()}
        kept["model"] = {**kept["model"], "components": bare}
    run = config["run"]
    return {"schema_version": 1, "run": {"name": run["name"], "out_dir": ".", "seed": run.get("seed") or 0}, **kept}


def _without(mapping: Mapping[str, Any], keys: Any) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in keys}


class Planned(NamedTuple):
    """A definition, and what its names stand for here."""

    config: Config
    registry: Registry
    plan: Plan


def planned(definition: Mapping[str, Any]) -> Planned:
    """Find what a definition names among the installed packages; nothing is imported.

    Raises `ConfigError` with every name that has no component here.
    """
    config = resolve_config(escaped(definition))
    registry = build_registry(config)
    names = resolve_names(config, registry)
    errors = [problem for problem in names.problems if problem.severity == "error" and _concerns(problem.config_path)]
    if errors:
        raise ConfigError(errors)
    entries = {path: entry for path, entry in names.plan.entries.items() if _concerns(path)}
    return Planned(config, registry, names.plan._replace(entries=entries))


def _concerns(path: str) -> bool:
    """Whether what stands at `path` takes part: the loop and its processes, which are implied, do not."""
    return not path or split_path(path)[0] in _SECTIONS
