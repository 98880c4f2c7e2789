"""A real batch from the data of a run, as what its policy observes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from offline_trainer_core.errors import ComponentError, DataError
from offline_trainer_core.nest import leaves

if TYPE_CHECKING:
    from torch import Tensor

    from offline_trainer_core.networks import PolicyModule
    from offline_trainer_core.types import RunInfo

__all__ = ["acting_on", "first_batch", "observed", "rows_of"]


def first_batch(datamodule: Any, run: RunInfo) -> Any:
    """Return the first batch of training, as the data gives it. Raises `DataError` where there is none."""
    if hasattr(datamodule, "place"):
        datamodule.place(seed=run.seed, rank=0, world_size=1, device=run.device)
    datamodule.setup("fit")
    for batch in datamodule.train_dataloader():
        return batch
    raise DataError("the training data has no batch: it is empty, or smaller than one batch")


def observed(policy: PolicyModule, batch: Any) -> dict[str, Tensor]:
    """Return those fields of a raw batch that the policy reads when it acts, by their dotted names.

    It acts once on a few rows, and is watched. Raises `ComponentError` where it reads what is not a tensor, or nothing.
    """
    import torch

    fields = {".".join(map(str, path)): leaf for path, leaf in leaves(batch) if isinstance(leaf, torch.Tensor)}
    fields = {name: value.float() if value.dtype is torch.float64 else value for name, value in fields.items()}
    few, noise = rows_of(fields, policy.noise_shape, 2)
    read: dict[str, None] = {}
    watched = _Watched(policy.observe(few), read)
    try:
        with torch.no_grad(), acting_on(2):
            policy.algorithm.act(watched) if noise is None else policy.algorithm.act(watched, noise)
    except KeyError as error:
        raise ComponentError(f"the policy reads what is no tensor in a batch of the data: {error.args[0]}") from error
    if not read:
        raise ComponentError("the policy reads no field of a batch when it acts: there is nothing to export")
    relative = policy.normalizer.relative
    read |= dict.fromkeys(relative[field].field for field in (*read, policy.action_field) if field in relative)
    return {field: fields[field] for field in read}


@contextmanager
def acting_on(rows: int) -> Iterator[None]:
    """Raise what goes wrong inside as a `ComponentError`: the policy cannot act on so many rows."""
    try:
        yield
    except (RuntimeError, ValueError, IndexError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ComponentError(
            f"the policy cannot act on {rows} rows, and an export is for batches of any size: {first}; has a module "
            "the size of the training batch written into it? Write -1 or x.shape[0]"
        ) from error


class _Watched(Mapping[str, Any]):
    """A nest that notes the dotted names of what is read from it."""

    def __init__(self, nest: Mapping[str, Any], read: dict[str, None], prefix: str = "") -> None:
        self._nest, self._read, self._prefix = nest, read, prefix

    def __getitem__(self, key: str) -> Any:
        value, name = self._nest[key], f"{self._prefix}{key}"
        if isinstance(value, Mapping):
            return _Watched(value, self._read, f"{name}.")
        self._read[name] = None
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._nest)

    def __len__(self) -> int:
        return len(self._nest)


def rows_of(
    observation: Mapping[str, Tensor], noise_shape: tuple[int, ...] | None, count: int
) -> tuple[dict[str, Tensor], Tensor | None]:
    """Return `(observation, noise)` with `count` rows, from the first on and over again; noise is standard normal."""
    import torch

    rows = torch.arange(count) % min(len(value) for value in observation.values())
    taken = {field: value[rows] for field, value in observation.items()}
    if noise_shape is None:
        return taken, None
    return taken, torch.randn(count, *noise_shape, generator=torch.Generator().manual_seed(count))
