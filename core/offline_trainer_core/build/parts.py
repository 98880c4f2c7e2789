"""From a checked configuration to the parts that a trainer's `fit` asks for by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from offline_trainer_core.build.models import build_models
from offline_trainer_core.build.spec import build_spec
from offline_trainer_core.catalogue import Registry
from offline_trainer_core.catalogue.local import import_local_module
from offline_trainer_core.config import Config, join_path
from offline_trainer_core.distributed import Collectives
from offline_trainer_core.networks import seed_everything
from offline_trainer_core.plan import Plan
from offline_trainer_core.types import RunInfo

__all__ = ["build_parts", "build_section", "build_trainer", "named"]

SECTIONS = {
    "data": "datamodule",
    "io": "io",
    "loss": "loss",
    "optimizer": "optimizer_factory",
    "scheduler": "scheduler_factory",
}
"""Sections of one spec, or of one for each name, and the parts that they become."""
LISTS = ("metrics", "callbacks", "loggers")


def build_parts(
    config: Config,
    registry: Registry,
    plan: Plan,
    *,
    run: RunInfo,
    collectives: Collectives,
    observers: bool = True,
) -> dict[str, Any]:
    """Return every part of the run by its name; imports what `plan` names and nothing else.

    Models are built from the same seed on every process. Without `observers` there are no metrics, callbacks, loggers,
    evaluations and hook plugins.
    """
    seed_everything(run.seed)
    for module in plan.local_modules:
        import_local_module(module.name, module.folder, registry)
    registry = registry.with_local(plan.targets())
    models, options = build_models(config, registry, plan)
    parts: dict[str, Any] = {
        "run": run,
        "collectives": collectives,
        "registry": registry,
        "models": models,
        "model": next(iter(models.values())),
        "model_options": options,
        "normalize": config.plain("normalize") or {},
        "relative": config.plain("relative") or {},
        "compile": config.plain("run.compile"),
        "strategy": _strategy(config, registry, collectives),
        "algorithm": build_section(config, registry, "algorithm", default="algo.supervised"),
    }
    parts |= {part: build_section(config, registry, section) for section, part in SECTIONS.items()}
    return {**parts, **_observers(config, registry, wanted=observers)}


def _observers(config: Config, registry: Registry, *, wanted: bool) -> dict[str, Any]:
    """Return the parts that look on while others train; none of each where they are not `wanted`."""
    if not wanted:
        return {part: {} for part in ("plugins", *LISTS, "evaluations")}
    return {
        "plugins": {name: registry.plugin(name) for name in config.plain("plugins") or ()},
        **{section: _list(config, registry, section) for section in LISTS},
        "evaluations": _evaluations(config, registry),
    }


def build_trainer(config: Config, registry: Registry) -> Any:
    """Return the trainer, `trainer.default` where the configuration names none."""
    return build_section(config, registry, "trainer", default="trainer.default")


def build_section(config: Config, registry: Registry, section: str, default: str | None = None) -> Any:
    """Return what a section stands for: a spec, several by name, or a component by its name alone; None where it is
    absent and has no default.
    """
    spec = config.plain(section)
    spec = default if spec is None else spec
    if isinstance(spec, str):
        kind = section.rpartition(".")[2]
        spec = {"_type_": spec if "." in spec else f"{kind}.{spec}"}
    return build_spec(spec, registry=registry, path=section)


def _strategy(config: Config, registry: Registry, collectives: Collectives) -> Any:
    implied = "strategy.ddp" if collectives.world_size > 1 else "strategy.single"
    return build_section(config, registry, "run.strategy", default=implied)


def _list(config: Config, registry: Registry, section: str) -> dict[str, Any]:
    specs = config.plain(section) or []
    built = [build_spec(spec, registry=registry, path=f"{section}[{index}]") for index, spec in enumerate(specs)]
    return dict(zip(named(specs), built, strict=True))


def _evaluations(config: Config, registry: Registry) -> dict[str, Any]:
    section = config.plain("eval")
    if section is None:
        return {}
    specs = {named([section])[0]: section} if "_type_" in section else section
    return {name: build_spec(spec, registry=registry, path=join_path("eval", name)) for name, spec in specs.items()}


def named(specs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a name for each of the specs of a list: its key without the kind, numbered where it appears again."""
    names: list[str] = []
    for spec in specs:
        key = str(spec.get("_type_", spec.get("_target_", "")))
        base = key.partition("@")[0].partition(".")[2] or key
        again = sum(name == base or name.startswith(f"{base}#") for name in names)
        names.append(f"{base}#{again + 1}" if again else base)
    return names
