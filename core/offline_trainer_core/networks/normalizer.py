"""Normalization of batch fields on the device, by statistics of the data module."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from offline_trainer_core.errors import CheckpointError, DataError
from offline_trainer_core.nest import parse_path, select
from offline_trainer_core.networks.observation import nested
from offline_trainer_core.networks.reference import Reference

__all__ = ["MODES", "Normalizer"]

log = logging.getLogger(__name__)

MODES = ("mean_std", "min_max", "none")


class Normalizer(nn.Module):
    """Maps fields of a batch to zero mean and unit deviation (`mean_std`), or to [-1, 1] (`min_max`), and back.

    Those in `relative` become differences from the present value of another field before that: `{"action":
    "state[0:7]"}`. `statistics` of them are those of the differences.

    A field may name another field instead of a mode: it is normalized with the statistics of that one
    (`next_observation: observation`). A constant dimension is passed through and named in the log once.
    Statistics have the shape of the last dimensions of the field: `(D,)` serves `(B, D)` and `(B, T, D)`.
    """

    def __init__(
        self,
        fields: Mapping[str, str],
        statistics: Mapping[str, Mapping[str, Tensor]],
        relative: Mapping[str, str] | None = None,
    ) -> None:
        """Raises `DataError` for a field without statistics."""
        super().__init__()
        self._take(fields, relative)
        for field in dict.fromkeys(self.fields.values()):
            if field not in statistics:
                known = ", ".join(statistics) or "nothing"
                raise DataError(f"normalize: no statistics for '{field}'; the data module has them for: {known}")
            shift, scale = _affine(field, fields[field], statistics[field])
            self.register_buffer(_name(field, "shift"), shift)
            self.register_buffer(_name(field, "scale"), scale)

    @classmethod
    def restored(
        cls,
        fields: Mapping[str, str],
        state: Mapping[str, Tensor],
        source: object,
        relative: Mapping[str, str] | None = None,
    ) -> Normalizer:
        """Return the normalizer whose `state_dict` is `state`: no data is needed.

        Raises `CheckpointError` that begins with `source` where it is that of other fields.
        """
        normalizer = cls({}, {})
        normalizer._take(fields, relative)
        sources = dict.fromkeys(normalizer.fields.values())
        expected = {_name(field, part) for field in sources for part in ("shift", "scale")}
        if expected != set(state):
            has = ", ".join(sorted({name.rpartition(":")[0].replace("/", ".") for name in state})) or "none"
            raise CheckpointError(
                f"{source} has the statistics of {has}, and the configuration normalizes {', '.join(sources) or 'none'}"
            )
        for name, value in state.items():
            normalizer.register_buffer(name, value)
        return normalizer

    def _take(self, fields: Mapping[str, str], relative: Mapping[str, str] | None) -> None:
        self.fields = {field: self._source(field, fields) for field, mode in fields.items() if mode != "none"}
        self.relative = {field: Reference.of(reference) for field, reference in (relative or {}).items()}
        self._paths = {field: parse_path(field) for field in (*self.relative, *self.fields)}

    @staticmethod
    def _source(field: str, fields: Mapping[str, str]) -> str:
        mode = fields[field]
        if mode in MODES:
            return field
        if fields.get(mode) in MODES and fields[mode] != "none":
            return mode
        raise DataError(
            f"normalize.{field}: '{mode}' is neither {', '.join(MODES)} nor a field that is normalized by one of them"
        )

    @property
    def is_idle(self) -> bool:
        """Whether it leaves every batch as it is."""
        return not self._paths

    def forward(self, batch: Any) -> Any:
        """Return `batch` with the fields normalized; raises `DataError` where a field is missing."""
        given = batch
        for field, path in self._paths.items():
            try:
                value = select(given, path)
            except KeyError as error:
                section = "relative" if field in self.relative else "normalize"
                raise DataError(f"{section}.{field}: {error.args[0]}") from None
            batch = _replaced(batch, path, self._from_raw(field, value, given))
        return batch

    def present(self, observation: Mapping[str, Any]) -> dict[str, Any]:
        """Return a flat mapping of fields with those normalized that it has.

        Raises `DataError` where a field has not the dimensions that it had in training, or no batch dimension.
        """
        nest = nested(observation)
        return {
            field: self._from_raw(field, self._fitting(field, value) if field in self.fields else value, nest)
            for field, value in observation.items()
        }

    def _from_raw(self, field: str, value: Tensor, nest: Any) -> Tensor:
        """Return `value` of `field` as it is learned; `nest`, in raw units, has what it may be relative to."""
        if field in self.relative:
            value = value - self._beside(field, value, nest)
        return self.normalize(field, value)

    def _fitting(self, field: str, value: Tensor) -> Tensor:
        shape = self._buffers[_name(self.fields[field], "shift")].shape  # type: ignore[union-attr]
        pairs = zip(value.shape[value.ndim - len(shape) :], shape, strict=False)
        if value.ndim <= len(shape) or any(given != known for given, known in pairs if known != 1):
            raise DataError(
                f"'{field}' has the shape {tuple(value.shape)}, and the policy was trained on a batch dimension, any "
                f"others, and last {tuple(shape)}"
            )
        return value

    def restore(self, field: str, value: Tensor, observation: Any) -> Tensor:
        """Return `value` of `field` in the units of the data, and added to what it is relative to.

        Raises `DataError` where `observation`, flat and as it was before `present`, lacks that.
        """
        value = self.denormalize(field, value)
        return value + self._beside(field, value, nested(observation)) if field in self.relative else value

    def _beside(self, field: str, value: Tensor, nest: Any) -> Tensor:
        reference = self.relative[field]
        try:
            return reference.beside(value, nest)
        except KeyError as error:
            raise DataError(f"relative.{field}: {error.args[0]}") from None

    def normalize(self, field: str, value: Tensor) -> Tensor:
        """Return `value` of `field`, normalized."""
        if field not in self.fields:
            return value
        source = self.fields[field]
        return (value - self._buffers[_name(source, "shift")]) / self._buffers[_name(source, "scale")]  # type: ignore[operator]

    def denormalize(self, field: str, value: Tensor) -> Tensor:
        """Return `value` of `field` in the units of the data."""
        if field not in self.fields:
            return value
        source = self.fields[field]
        return value * self._buffers[_name(source, "scale")] + self._buffers[_name(source, "shift")]  # type: ignore[operator]


def _name(field: str, part: str) -> str:
    return f"{field.replace('.', '/')}:{part}"


def _affine(field: str, mode: str, statistics: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    needed = (
        ("min", "max", "mean", "std") if mode == "mean_std" else ("min", "max")
    )  # the extremes tell what is constant
    missing = [name for name in needed if name not in statistics]
    if missing:
        raise DataError(
            f"normalize.{field}: {mode} needs the statistics {', '.join(needed)} of '{field}', and the data module has "
            f"{', '.join(statistics) or 'none'}: let it give {' and '.join(missing)} too, or take the field out of "
            "normalize"
        )
    low, high = statistics["min"].float(), statistics["max"].float()
    if mode == "mean_std":
        shift, scale = statistics["mean"].float(), statistics["std"].float()
    else:
        shift, scale = (low + high) / 2, (high - low) / 2
    constant = low == high
    if bool(constant.any()):
        dimensions = constant.nonzero().squeeze(-1).tolist()
        log.warning("normalize.%s: constant dimensions are passed through: %s", field, dimensions)
    return torch.where(constant, torch.zeros_like(shift), shift), torch.where(constant, torch.ones_like(scale), scale)


def _replaced(nest: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return `nest` with `value` at `path`; what lies beside the path is shared."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(nest, Mapping):
        key = key if key in nest else str(key)
        return {**nest, key: _replaced(nest[key], rest, value)}
    if is_dataclass(nest) and not isinstance(nest, type):
        return replace(nest, **{str(key): _replaced(getattr(nest, str(key)), rest, value)})
    if isinstance(nest, tuple) and hasattr(nest, "_fields"):
        key = nest._fields.index(key) if isinstance(key, str) else key
        return type(nest)(*(_replaced(item, rest, value) if at == key else item for at, item in enumerate(nest)))
    items = list(nest)
    items[int(key)] = _replaced(items[int(key)], rest, value)
    return type(nest)(items)
