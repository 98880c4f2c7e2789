"""A data module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from offline_trainer_core import DataError, NonNegativeFloat, NonNegativeInt, Policy, PositiveInt
from ot_example_plugins import recording


class Demonstrations:
    """Transitions of a scripted policy in a Gymnasium environment, recorded on first use and kept in `folder`.

    Batches are mappings of tensors: `observation (B, D)`, `action (B, A)`, `reward (B,)`, `next_observation (B, D)`,
    `terminated (B,)`, `truncated (B,)`. `noise` is in halves of the action range. The last `val_episodes` episodes are
    held out. Raises `DataError` if nothing is left to train on.
    """

    def __init__(
        self,
        policy: Policy,
        env: str,
        episodes: PositiveInt = 100,
        noise: NonNegativeFloat = 0.1,
        record_seed: int = 0,
        batch_size: PositiveInt = 256,
        val_episodes: NonNegativeInt = 10,
        folder: str = "data",
    ) -> None:
        if val_episodes >= episodes:
            raise DataError(f"{episodes} episodes with {val_episodes} held out leave none to train on")
        self.policy, self.env = policy, env
        self.episodes, self.noise, self.record_seed = episodes, noise, record_seed
        self.batch_size, self.val_episodes = batch_size, val_episodes
        name = f"{env.replace('/', '-')}_{type(policy).__name__}_{episodes}x_noise{noise:g}_seed{record_seed}.npz"
        self.path = Path(folder) / name
        self.seed, self.rank, self.world_size, self.device = 0, 0, 1, torch.device("cpu")

    def place(self, *, seed: int, rank: int, world_size: int, device: torch.device) -> None:
        self.seed, self.rank, self.world_size, self.device = seed, rank, world_size, device

    def setup(self, stage: str | None) -> None:
        if not self.path.exists():
            arrays = recording.record(
                self.env, self.policy, episodes=self.episodes, noise=self.noise, seed=self.record_seed
            )
            recording.write(self.path, arrays)
        arrays = recording.read(self.path)
        ends = arrays["episode_ends"]
        split = int(ends[len(ends) - self.val_episodes - 1])
        self.train = self._placed({name: arrays[name][:split] for name in recording.FIELDS})
        self.val = self._placed({name: arrays[name][split:] for name in recording.FIELDS})

    def _placed(self, arrays: recording.Arrays) -> dict[str, Tensor]:
        return {name: torch.from_numpy(np.ascontiguousarray(array)).to(self.device) for name, array in arrays.items()}

    @property
    def stats(self) -> dict[str, dict[str, Tensor]]:
        return {
            name: {
                "mean": column.mean(dim=0),
                "std": column.std(dim=0, correction=0),
                "min": column.amin(dim=0),
                "max": column.amax(dim=0),
                "count": torch.tensor(len(column)),
            }
            for name, column in self.train.items()
            if column.is_floating_point()
        }

    def train_dataloader(self) -> Transitions:
        return Transitions(self.train, self, shuffle=True)

    def val_dataloader(self) -> Transitions | None:
        return Transitions(self.val, self, shuffle=False) if self.val_episodes else None


class Transitions:
    """One process's share of every global batch. The order is a function of (seed, epoch)."""

    def __init__(self, columns: Mapping[str, Tensor], data: Demonstrations, *, shuffle: bool) -> None:
        self.columns, self.data, self.shuffle = columns, data, shuffle
        self.device = data.device
        self.rows = len(columns["observation"])
        self.epoch, self.start = 0, 0

    def __len__(self) -> int:
        # In training the rest of an epoch is left out: every batch has the same shape.
        return self.rows // self.data.batch_size if self.shuffle else -(-self.rows // self.data.batch_size)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        self.epoch, self.start = epoch, start

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        size, rank, processes = self.data.batch_size, self.data.rank, self.data.world_size
        generator = torch.Generator().manual_seed((self.data.seed << 32) + self.epoch)
        order = torch.randperm(self.rows, generator=generator) if self.shuffle else torch.arange(self.rows)
        order = order.to(self.device)
        for index in range(self.start, len(self)):
            chosen = order[index * size : (index + 1) * size].tensor_split(processes)[rank]
            yield {name: column.index_select(0, chosen) for name, column in self.columns.items()}
