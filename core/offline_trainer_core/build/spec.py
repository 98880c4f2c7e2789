"""From a spec to an object: the one place where names in a configuration become parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import join_path
from offline_trainer_core.errors import ComponentError, OfflineTrainerError

__all__ = ["build_spec"]

RESERVED = ("_type_", "_target_", "_args_", "_kwargs_")


def build_spec(spec: Any, *, registry: Registry, path: str = "") -> Any:
    """Return what `spec` stands for: specs at any depth become objects, everything else stays what it is.

    `path` is where the spec stands in the configuration, for messages.

    Raises:
        ComponentError: A component is not known, cannot be imported, or refuses its arguments.
    """
    if isinstance(spec, Mapping):
        if "_type_" in spec or "_target_" in spec:
            return _construct(spec, registry, path)
        return {key: build_spec(value, registry=registry, path=join_path(path, key)) for key, value in spec.items()}
    if isinstance(spec, Sequence) and not isinstance(spec, str):
        return [build_spec(value, registry=registry, path=f"{path}[{index}]") for index, value in enumerate(spec)]
    return spec


def _construct(spec: Mapping[str, Any], registry: Registry, path: str) -> Any:
    entry = registry.find(spec["_type_"] if "_type_" in spec else f"_target_.{spec['_target_']}")
    target = entry.load()
    named = {key: value for key, value in spec.items() if key not in RESERVED} | dict(spec.get("_kwargs_") or {})
    args = build_spec(list(spec.get("_args_") or ()), registry=registry, path=f"{path}._args_")
    kwargs = {key: build_spec(value, registry=registry, path=join_path(path, key)) for key, value in named.items()}
    try:
        return target(*args, **kwargs)
    except OfflineTrainerError as error:
        raise _located(error, path, entry.key) from error.__cause__
    except Exception as error:
        raise ComponentError(
            f"{path}: {entry.key} ({entry.label}) refused its arguments: {type(error).__name__}: {error}"
        ) from error


def _located(error: OfflineTrainerError, path: str, key: str) -> OfflineTrainerError:
    """Return `error` with the place in the configuration that it came from, said once."""
    if path and len(error.args) == 1 and isinstance(error.args[0], str) and not getattr(error, "located", False):
        error.args = (f"{path} ({key}): {error.args[0].removeprefix(f'{key}: ')}",)
        error.located = True  # type: ignore[attr-defined]
    return error
