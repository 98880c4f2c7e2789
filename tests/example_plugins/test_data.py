from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offline_trainer_core import DataError
from ot_example_plugins import recording
from ot_example_plugins.data import Demonstrations
from ot_example_plugins.policy import PendulumSwingUp

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path: Path, swing_ups: dict[str, np.ndarray]) -> Path:
    """A folder in which the recording already lies that `demonstrations` asks for."""
    recording.write(tmp_path / "Pendulum-v1_PendulumSwingUp_3x_noise0.1_seed5.npz", swing_ups)
    return tmp_path


def demonstrations(folder: Path, rank: int = 0, world_size: int = 1, **options: Any) -> Demonstrations:
    wanted = {"episodes": 3, "record_seed": 5, "batch_size": 64, "val_episodes": 1, **options}
    data = Demonstrations(PendulumSwingUp(), "Pendulum-v1", folder=str(folder), **wanted)
    data.place(seed=7, rank=rank, world_size=world_size, device=CPU)
    data.setup("fit")
    return data


def column(loader: Any, name: str = "action") -> torch.Tensor:
    return torch.cat([batch[name] for batch in loader])


def test_it_records_once_and_then_reads(tmp_path: Path) -> None:
    first = demonstrations(tmp_path, episodes=2)
    assert first.path.name == "Pendulum-v1_PendulumSwingUp_2x_noise0.1_seed5.npz"
    before = first.path.stat().st_mtime_ns
    second = demonstrations(tmp_path, episodes=2)
    assert first.path.stat().st_mtime_ns == before
    assert torch.equal(first.train["action"], second.train["action"])
    assert demonstrations(tmp_path, episodes=2, noise=0.5).path != first.path


def test_whole_episodes_are_held_out(folder: Path, swing_ups: dict[str, np.ndarray]) -> None:
    data = demonstrations(folder)
    assert torch.equal(column(data.val_dataloader()), torch.from_numpy(swing_ups["action"][400:]))
    assert torch.equal(data.train["action"], torch.from_numpy(swing_ups["action"][:400]))
    assert demonstrations(folder, val_episodes=0).val_dataloader() is None


def test_statistics_are_of_the_training_data_only(folder: Path, swing_ups: dict[str, np.ndarray]) -> None:
    stats = demonstrations(folder).stats
    assert set(stats) == {"observation", "action", "reward", "next_observation"}
    observed = swing_ups["observation"][:400]
    for name in ("mean", "std", "min", "max"):
        np.testing.assert_allclose(stats["observation"][name], getattr(observed, name)(axis=0), rtol=1e-4, atol=1e-6)
    assert stats["observation"]["count"] == 400


def test_an_epoch_has_every_row_once_but_for_the_rest(folder: Path) -> None:
    loader = demonstrations(folder).train_dataloader()
    rows = column(loader, "observation")
    assert len(loader) == 6
    assert len(rows) == 6 * 64
    assert len(torch.unique(rows, dim=0)) == len(rows)


def test_the_order_is_a_function_of_seed_and_epoch(folder: Path) -> None:
    loader, again = demonstrations(folder).train_dataloader(), demonstrations(folder).train_dataloader()
    first = column(loader)
    loader.set_epoch(1)
    assert not torch.equal(column(loader), first)
    loader.set_epoch(0, start=2)
    assert torch.equal(column(loader), column(again)[2 * 64 :])


def test_processes_share_the_same_batches(folder: Path) -> None:
    whole = demonstrations(folder).train_dataloader()
    shares = [demonstrations(folder, rank=rank, world_size=2).train_dataloader() for rank in range(2)]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert [len(part["action"]) for part in parts] == [32, 32]
        both = torch.cat([part["observation"] for part in parts])
        assert torch.equal(torch.unique(both, dim=0), torch.unique(batch["observation"], dim=0))


def test_something_must_be_left_to_train_on(folder: Path) -> None:
    with pytest.raises(DataError, match="3 episodes with 3 held out leave none to train on"):
        demonstrations(folder, val_episodes=3)
