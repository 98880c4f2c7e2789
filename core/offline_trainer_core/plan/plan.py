"""The plan: which component every name in a configuration stands for. Allow-list, lock and provenance in one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from offline_trainer_core.catalogue import Entry
from offline_trainer_core.config import Config, parent_path, split_path
from offline_trainer_core.plan.local import LocalModule

__all__ = ["Plan", "plan_difference"]


class Plan(NamedTuple):
    """Every component that a run uses, by the path in the configuration where it is named.

    The path of a spec is that of its mapping; what is implied stands under its section: `trainer`, `algorithm`,
    `run.launcher`, and `run.strategy.single` and `run.strategy.ddp`, between which the number of processes decides.
    What a model file names has the path of the node that names the file in front.
    """

    entries: Mapping[str, Entry]
    model_files: Mapping[str, Config] = MappingProxyType({})
    """The resolved model files, by the path of the `config_path` that names them."""
    local_modules: tuple[LocalModule, ...] = ()
    """What stands under `imports`, to be imported before anything is built."""

    def distributions(self) -> dict[str, str]:
        """Return name and version of every distribution that takes part."""
        found = {entry.distribution: entry.version for entry in self.entries.values() if entry.origin == "installed"}
        return dict(sorted(found.items()))

    def targets(self) -> list[Entry]:
        """Return what `_target_` names: to be given to `Registry.with_local` before anything is built."""
        return list(dict.fromkeys(entry for entry in self.entries.values() if entry.origin == "target"))

    def to_json(self) -> dict[str, Any]:
        """Return the plan as plain data: what is written into the run record and into every checkpoint."""
        from offline_trainer_core.catalogue.digest import code_digest

        return {
            "entries": {
                path: {
                    "key": entry.key,
                    "distribution": entry.distribution,
                    "version": entry.version,
                    "reference": entry.reference,
                }
                for path, entry in sorted(self.entries.items())
            },
            "distributions": {
                name: {"version": version, "code": code_digest(name)} for name, version in self.distributions().items()
            },
            "local": {module.name: module.digest for module in self.local_modules},
        }

    def inlined(self, config: Any, model_files: Mapping[str, Any]) -> Any:
        """Return a resolved configuration as plain data with its model files, given by path, in place of their
        names."""
        from copy import deepcopy

        config = deepcopy(config)
        for path in sorted(self.model_files):
            holder = config
            for key in split_path(parent_path(path).replace("config_path.", "config.")):
                holder = holder[key]
            del holder["config_path"]
            holder["config"] = model_files[path]
        return config

    def digest(self) -> str:
        """Return a digest that two processes, or a run and its resumption, share if their plans do."""
        import json

        import xxhash

        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return f"xxh3:{xxhash.xxh3_128_hexdigest(text.encode())}"


def plan_difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a line for every component, distribution and local module in which two plans (`to_json`) differ."""
    parts = ((ours.get(part, {}), theirs.get(part, {})) for part in ("entries", "distributions", "local"))
    return tuple(
        f"{name}: {_in_words(mine.get(name))}, not {_in_words(other.get(name))}"
        for mine, other in parts
        for name in sorted({*mine, *other})
        if mine.get(name) != other.get(name)
    )


def _in_words(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value) if value else "absent"
    words = (value.get(part) for part in ("key", "distribution", "version", "reference", "code"))
    return " ".join(str(word) for word in words if word)
