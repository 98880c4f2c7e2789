from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offline_trainer_core.errors import DataError
from ot_builtins.data.episodes import Episodes
from ot_builtins.data.storage.formats import open_storage
from ot_builtins.data.storage.reading import read_ends, read_fields

FIELDS = {"observation": "state", "action": "action"}
Window = dict[str, np.ndarray]


def write_episodes(path: Path, lengths: tuple[int, ...]) -> Path:
    """Write episodes whose every number says where it was: hundreds for the episode, units for the step."""
    steps = np.concatenate([100 * e + np.arange(length) for e, length in enumerate(lengths)]).astype(np.float32)
    np.savez(path, state=steps[:, None], action=-steps[:, None], episode_ends=np.cumsum(lengths))
    return path


def naive_windows(
    path: Path, fields: dict[str, str], history: int, chunk: int, start: int, skip_last: int = 0, shift: int = 0
) -> Iterator[Window]:
    """Yield every window, step by step; `shift` moves all of them by that many steps."""
    storage = open_storage(path)
    values = {name: tensor.numpy() for name, tensor in read_fields(storage, fields).items()}
    first = 0
    for end in read_ends(storage, len(values["action"])).tolist():
        for t in range(first, end - skip_last):
            observed, acted, padded = [], [], []
            for step in range(t + shift - history + 1, t + shift + 1):
                observed.append(values["observation"][min(max(step, first), end - 1)])
            for step in range(t + shift + start, t + shift + start + chunk):
                acted.append(values["action"][min(max(step, first), end - 1)])
                padded.append(not first <= step < end)
            yield {"observation": np.stack(observed), "action": np.stack(acted), "action_is_pad": np.array(padded)}
        first = end


def assert_windows(loader: Any, expected: Iterator[Window]) -> None:
    windows = list(expected)
    for name in windows[0]:
        found = torch.cat([batch[name] for batch in loader])
        np.testing.assert_array_equal(found.numpy(), np.stack([window[name] for window in windows]), strict=True)


def in_order(path: Path, fields: dict[str, str], **options: Any) -> Episodes:
    return Episodes(path, fields, 64, shuffle=False, drop_last=False, validation=0.0, **options)


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ("pusht/pusht_cchi_v7_replay.zarr", FIELDS),
        ("g1_bottle_state", {"observation": "observation.state", "action": "action"}),
    ],
)
@pytest.mark.parametrize(("chunk_from", "start"), [("current", 0), ("first_observation", -1)])
def test_all_windows_of_real_demonstrations_are_those_of_a_loop_over_steps(
    data: str, fields: dict[str, str], chunk_from: str, start: int, real_data: Any, placed: Any
) -> None:
    path = real_data(data)
    loader = placed(in_order(path, fields, history=2, chunk=16, chunk_from=chunk_from)).train_dataloader()
    assert_windows(loader, naive_windows(path, fields, 2, 16, start))
    with pytest.raises(AssertionError):
        assert_windows(loader, naive_windows(path, fields, 2, 16, start, shift=1))


@pytest.mark.parametrize("lengths", [(1, 1, 2), (5,), (3, 40, 2, 7), (16, 17, 15)])
@pytest.mark.parametrize(("history", "chunk"), [(1, 1), (3, 4), (6, 20)])
@pytest.mark.parametrize("chunk_from", ["current", "first_observation"])
@pytest.mark.parametrize("skip_last", [0, 1])
def test_all_windows_of_short_and_long_episodes_are_those_of_a_loop_over_steps(
    lengths: tuple[int, ...], history: int, chunk: int, chunk_from: Any, skip_last: int, tmp_path: Path, placed: Any
) -> None:
    path = write_episodes(tmp_path / "episodes.npz", lengths)
    options = {"history": history, "chunk": chunk, "chunk_from": chunk_from, "skip_last": skip_last}
    loader = placed(in_order(path, FIELDS, **options)).train_dataloader()
    start = 0 if chunk_from == "current" else 1 - history
    assert_windows(loader, naive_windows(path, FIELDS, history, chunk, start, skip_last))


def test_no_window_reaches_across_the_border_of_an_episode(tmp_path: Path, placed: Any) -> None:
    path = write_episodes(tmp_path / "episodes.npz", (3, 40, 2, 7))
    loader = placed(in_order(path, FIELDS, history=5, chunk=12)).train_dataloader()
    for batch in loader:
        steps = torch.cat([batch["observation"], -batch["action"]], dim=1).squeeze(-1)
        episodes = (steps / 100).floor()
        assert torch.equal(episodes, episodes[:, :1].expand_as(episodes))


def test_a_window_is_the_one_that_diffusion_policy_describes(tmp_path: Path, placed: Any) -> None:
    path = write_episodes(tmp_path / "episodes.npz", (30,))
    options = {"history": 2, "chunk": 16, "chunk_from": "first_observation", "skip_last": 16 - 2 + 1 - 8}
    (batch,) = placed(in_order(path, FIELDS, **options)).train_dataloader()
    assert batch["observation"][10].flatten().tolist() == [9, 10]
    assert batch["action"][10].flatten().tolist() == [-step for step in range(9, 25)]
    executed = batch["action_is_pad"][:, 1 : 1 + 8]
    assert not executed.any()
    assert len(executed) == 30 - 7
    assert batch["action_is_pad"][-1].any()


def test_whole_episodes_are_held_out(tmp_path: Path, placed: Any) -> None:
    path = write_episodes(tmp_path / "episodes.npz", (10,) * 20)

    def episodes(which: str, seed: int) -> set[int]:
        module = placed(Episodes(path, FIELDS, 4, validation=0.25), seed=seed)
        return {int(x) // 100 for batch in getattr(module, which)() for x in batch["observation"].flatten()}

    assert len(episodes("val_dataloader", 1)) == 5
    assert episodes("val_dataloader", 1).isdisjoint(episodes("train_dataloader", 1))
    assert episodes("val_dataloader", 1) | episodes("train_dataloader", 1) == set(range(20))
    assert episodes("val_dataloader", 1) != episodes("val_dataloader", 2)


def test_statistics_count_every_training_step_once(tmp_path: Path, placed: Any) -> None:
    path = write_episodes(tmp_path / "episodes.npz", (10, 30, 5, 8))
    module = placed(Episodes(path, FIELDS, 1, history=3, validation=0.25))
    steps = torch.cat([batch["observation"][:, -1] for batch in module.train_dataloader()]).double()
    stats = module.stats["observation"]
    assert int(stats["count"]) == len(steps) < 53
    torch.testing.assert_close(stats["mean"].double(), steps.mean(0))
    torch.testing.assert_close(stats["std"].double(), steps.std(0, correction=0))
    assert (stats["min"], stats["max"]) == (steps.min(), steps.max())


def test_shares_join_and_restarts_continue(tmp_path: Path, placed: Any, assert_same_batches: Any) -> None:
    path = write_episodes(tmp_path / "episodes.npz", (31, 44, 27))

    def loader(start: int = 0, **place: int) -> Any:
        made = placed(Episodes(path, FIELDS, 12, validation=0.0), **place).train_dataloader()
        made.set_epoch(1, start)
        return made

    expected = list(loader())
    assert_same_batches(loader(start=3), expected[3:])
    shares = zip(*(loader(rank=rank, world_size=2) for rank in range(2)), strict=True)
    assert_same_batches([{n: torch.cat([s[n] for s in step]) for n in step[0]} for step in shares], expected)


def test_images_stored_as_floats_are_held_as_bytes(real_data: Any, placed: Any, tmp_path: Path) -> None:
    import zarr

    stored = zarr.open_group(str(real_data("pusht/pusht_cchi_v7_replay.zarr")), mode="r")
    images, rows = stored["data/img"][:20], 20
    np.savez(tmp_path / "images.npz", img=images, action=stored["data/action"][:rows], episode_ends=[7, rows])
    fields = {"image": "img", "action": "action"}
    module = placed(in_order(tmp_path / "images.npz", fields, dtypes={"image": "uint8"}, history=1))
    (batch,) = module.train_dataloader()
    assert batch["image"].dtype == torch.uint8
    np.testing.assert_array_equal(batch["image"][:, 0].numpy(), images)
    assert "image" not in module.stats


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"episode_ends": [3, 3, 5]}, {}, "episode_ends must increase, and does not at episode 1"),
        ({"episode_ends": [0, 5]}, {}, "does not at episode 0"),
        ({"episode_ends": [3, 6]}, {}, "ends at row 6, and its fields have 5 rows"),
        ({"episode_ends": np.zeros(0, int)}, {}, "ends at row 0, and its fields have 5 rows"),
        ({}, {}, "no 'episode_ends'"),
        (
            {"episode_ends": [5]},
            {"fields": {"observation": "stat", "action": "action"}},
            "'stat'; did you mean 'state'",
        ),
        ({"episode_ends": [5], "action": np.zeros((4, 1))}, {}, "unequal numbers of rows: observation 5, action 4"),
        ({"episode_ends": [5]}, {"chunked": ["actions"]}, "chunked names 'actions'.*did you mean 'action'"),
        ({"episode_ends": [5]}, {"chunk_from": "now"}, "chunk_from is current or first_observation"),
        ({"episode_ends": [5]}, {"history": 0}, "history and chunk must be at least 1"),
        ({"episode_ends": [5]}, {"validation": 0.1}, "leaves none to train on"),
        ({"episode_ends": [5]}, {"skip_last": 5}, "no rows to train on"),
    ],
)
def test_bad_input_is_named(
    arrays: dict[str, Any], options: dict[str, Any], message: str, tmp_path: Path, placed: Callable[..., Episodes]
) -> None:
    np.savez(tmp_path / "e.npz", **{"state": np.zeros((5, 1)), "action": np.zeros((5, 1)), **arrays})
    given = {"fields": FIELDS, "batch_size": 2, "validation": 0.0, **options}
    with pytest.raises(DataError, match=message):
        placed(Episodes(tmp_path / "e.npz", **given)).train_dataloader()


def test_a_loader_says_of_which_episode_and_step_its_windows_are(tmp_path: Path, placed: Any) -> None:
    path = write_episodes(tmp_path / "demos.npz", (5, 7, 3, 9, 6))
    module = placed(Episodes(path, FIELDS, 4, validation=0.4), seed=2)
    for loader in (module.train_dataloader(), module.val_dataloader()):
        loader.set_epoch(1)
        for number, batch in enumerate(loader):
            named = [100 * sample["episode"] + sample["step"] for sample in loader.samples(1, number)]
            assert named == batch["observation"][:, -1, 0].int().tolist()
