from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from offline_trainer_core.errors import DataError
from ot_builtins.data.order import generator_for
from ot_builtins.data.tensors import Tensors

Arrays = dict[str, np.ndarray]


@pytest.fixture
def transitions() -> Arrays:
    """Fields of several dtypes and shapes, narrow and wide, as a replay buffer has them."""
    rng = np.random.default_rng(0)
    return {
        "obs": rng.normal(3, 2, (1003, 5)),
        "action": rng.normal(size=(1003, 2)).astype(np.float32),
        "reward": rng.normal(size=1003).astype(np.float32),
        "keypoints": rng.normal(size=(1003, 3, 2)).astype(np.float32),
        "image": rng.integers(0, 255, (1003, 16, 16, 3), dtype=np.uint8),
        "wide": rng.normal(size=(1003, 200)).astype(np.float32),
        "terminal": rng.random(1003) < 0.1,
    }


def as_stored(arrays: Arrays) -> dict[str, torch.Tensor]:
    return {n: torch.from_numpy(a.astype(np.float32) if a.dtype.kind == "f" else a) for n, a in arrays.items()}


def test_batches_are_the_rows_of_a_permutation(transitions: Arrays, placed: Any, assert_same_batches: Any) -> None:
    loader = placed(Tensors(transitions, batch_size=32), seed=11).train_dataloader()
    loader.set_epoch(4)
    order = torch.randperm(1003, generator=generator_for(11, "epoch", 4))
    fields = as_stored(transitions)
    expected = [{n: v[order[k : k + 32]] for n, v in fields.items()} for k in range(0, 992, 32)]
    assert_same_batches(loader, expected)
    assert all(value.is_contiguous() for batch in loader for value in batch.values())
    expected[7]["reward"] = expected[7]["reward"].flip(0)
    with pytest.raises(AssertionError):
        assert_same_batches(loader, expected)


@pytest.mark.parametrize("options", [{}, {"sample": "with_replacement", "steps_per_epoch": 300}])
def test_a_restart_at_batch_k_gives_the_batches_from_k_on(
    options: dict[str, Any], transitions: Arrays, placed: Any, assert_same_batches: Any
) -> None:
    uninterrupted = placed(Tensors(transitions, 32, **options)).train_dataloader()
    uninterrupted.set_epoch(2)
    expected = list(uninterrupted)
    for k in (0, 1, 17, len(expected) - 1, len(expected)):
        restarted = placed(Tensors(transitions, 32, **options)).train_dataloader()
        restarted.set_epoch(2, start=k)
        assert_same_batches(restarted, expected[k:])
        assert len(restarted) == len(expected)


@pytest.mark.parametrize("options", [{}, {"sample": "with_replacement", "steps_per_epoch": 5}])
def test_the_batches_of_three_processes_join_to_those_of_one(
    options: dict[str, Any], transitions: Arrays, placed: Any, assert_same_batches: Any
) -> None:
    def loaders(which: str, **place: int) -> Any:
        return getattr(placed(Tensors(transitions, 30, validation=0.1, **options), **place), which)()

    for which in ("train_dataloader", "val_dataloader"):
        shares = zip(*(loaders(which, rank=rank, world_size=3) for rank in range(3)), strict=True)
        joined = [{name: torch.cat([share[name] for share in step]) for name in step[0]} for step in shares]
        assert_same_batches(joined, loaders(which))


def test_a_batch_changed_in_place_leaves_the_data_alone(
    transitions: Arrays, placed: Any, assert_same_batches: Any
) -> None:
    loader = placed(Tensors(transitions, 32)).train_dataloader()
    before = [{name: value.clone() for name, value in batch.items()} for batch in loader]
    for batch in loader:
        for value in batch.values():
            value.zero_()
    assert_same_batches(loader, before)


@pytest.mark.parametrize("format_", ["npz", "safetensors", "two npz"])
def test_files_and_mappings_give_the_same_batches(
    format_: str, transitions: Arrays, tmp_path: Path, placed: Any, assert_same_batches: Any
) -> None:
    source: Any = tmp_path / "rows.npz"
    np.savez(source, **transitions)
    if format_ == "safetensors":
        source = tmp_path / "rows.safetensors"
        save_file(transitions, source)
    elif format_ == "two npz":
        source = [tmp_path / "a.npz", tmp_path / "b.npz"]
        np.savez(source[0], **{name: values[:400] for name, values in transitions.items()})
        np.savez(source[1], **{name: values[400:] for name, values in transitions.items()})
    found = placed(Tensors(source, 32)).train_dataloader()
    assert_same_batches(found, placed(Tensors(transitions, 32)).train_dataloader())


def test_fields_are_renamed_and_dtypes_chosen(transitions: Arrays, placed: Any) -> None:
    module = Tensors(
        transitions, 32, fields={"o": "obs", "done": "terminal"}, dtypes={"o": "float64", "done": "float32"}
    )
    batch = next(iter(placed(module).train_dataloader()))
    assert {name: value.dtype for name, value in batch.items()} == {"o": torch.float64, "done": torch.float32}


def test_statistics_describe_the_training_rows_alone(transitions: Arrays, placed: Any) -> None:
    module = placed(Tensors(transitions, 1, validation=0.3, shuffle=False), seed=3)
    rows = np.concatenate([batch["obs"].numpy() for batch in module.train_dataloader()]).astype(np.float64)
    found = module.stats["obs"]
    assert int(found["count"]) == len(rows) == 702
    for name, expected in (("mean", rows.mean(0)), ("std", rows.std(0)), ("min", rows.min(0)), ("max", rows.max(0))):
        np.testing.assert_allclose(found[name], expected, rtol=1e-6)
        assert not np.allclose(found[name], getattr(transitions["obs"], name)(0), rtol=1e-6) or name in ("min", "max")
    assert set(module.stats) == {"obs", "action", "reward", "keypoints", "wide"}


def test_sums_of_large_values_keep_their_digits(placed: Any) -> None:
    values = (1e4 + np.random.default_rng(0).normal(0, 1e-2, (200_000, 1))).astype(np.float32)
    found = placed(Tensors({"x": values}, 10)).stats["x"]
    np.testing.assert_allclose(found["std"], values.astype(np.float64).std(0), rtol=1e-6)
    naive = torch.from_numpy(values).square().mean(0) - torch.from_numpy(values).mean(0).square()
    assert abs(float(naive) - float(found["std"]) ** 2) > 1e-6


def test_held_out_rows_are_a_function_of_the_seed_and_never_trained_on(placed: Any) -> None:
    def rows(which: str, seed: int) -> set[float]:
        module = placed(Tensors({"x": np.arange(100.0)}, 10, validation=0.2), seed=seed)
        return {float(x) for batch in getattr(module, which)() for x in batch["x"]}

    assert len(rows("val_dataloader", 1)) == 20
    assert rows("val_dataloader", 1) | rows("train_dataloader", 1) == set(np.arange(100.0))
    assert rows("val_dataloader", 1) == rows("val_dataloader", 1) != rows("val_dataloader", 2)


def test_validation_may_have_a_source_of_its_own_and_loses_no_row(placed: Any) -> None:
    module = placed(Tensors({"x": np.arange(40.0)}, 10, validation={"x": np.arange(25.0)}))
    assert [len(batch["x"]) for batch in module.val_dataloader()] == [10, 10, 5]
    assert torch.cat([batch["x"] for batch in module.val_dataloader()]).tolist() == list(range(25))
    assert placed(Tensors({"x": np.arange(40.0)}, 10)).val_dataloader() is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda a: Tensors("nowhere.npz", 1), "nowhere.npz does not exist"),
        (lambda a: Tensors(a, 1, fields={"x": "rewards"}), "no field 'rewards'; did you mean 'reward'.*it has: obs"),
        (lambda a: Tensors({"x": [1.0], "y": [1.0, 2.0]}, 1), "unequal numbers of rows: x 1, y 2"),
        (lambda a: Tensors({"x": np.zeros((0, 3))}, 1), "is empty: x have no rows"),
        (lambda a: Tensors({}, 1), "has no fields"),
        (lambda a: Tensors({"x": ["a", "b"]}, 1), "'x' holds <U1, not numbers"),
        (lambda a: Tensors({"x": [0.5]}, 1, dtypes={"x": "uint8"}), "values that uint8 cannot hold exactly"),
        (lambda a: Tensors({"x": [float("nan")]}, 1, dtypes={"x": "int64"}), "values that int64 cannot hold exactly"),
        (lambda a: Tensors({"x": [0.5]}, 1, dtypes={"x": "float23"}), "no dtype 'float23'; did you mean 'float32'"),
        (lambda a: Tensors({"x": [0.5]}, 1, dtypes={"y": "float32"}), "no field 'y'"),
        (lambda a: Tensors(a, 1, validation=1.0), "validation is 1.0"),
        (lambda a: Tensors({"x": [0.5]}, 1, validation=0.5), "leaves none to train on"),
        (lambda a: Tensors([a, {"obs": a["obs"]}], 1), "other fields or shapes"),
        (lambda a: Tensors([], 1), "is empty"),
        (lambda a: Tensors(a, 1, sample="with_replacement"), "give both, or neither"),
        (lambda a: Tensors(a, 1, steps_per_epoch=3), "give both, or neither"),
        (lambda a: Tensors(a, 1, sample="once"), "sample is epoch or with_replacement, not 'once'"),
    ],
)
def test_bad_input_is_named(make: Callable[[Arrays], Tensors], message: str, transitions: Arrays, placed: Any) -> None:
    with pytest.raises(DataError, match=message):
        placed(make(transitions))


def test_numbers_that_are_not_finite_are_found_with_their_row(placed: Any) -> None:
    values = np.zeros((50, 2))
    values[17, 1] = np.nan
    module = placed(Tensors({"x": values}, 10))
    with pytest.raises(DataError, match="'x' has NaN or infinite numbers in 1 of 50 rows; the first is row 17"):
        module.stats["x"]


@pytest.mark.parametrize("sample", ["epoch", "with_replacement"])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_loader_says_which_rows_of_the_data_its_batches_have(rank: int, sample: Any, placed: Any) -> None:
    steps = 7 if sample == "with_replacement" else None
    values = {"x": np.arange(50.0), "y": np.arange(50.0).reshape(25, 2).repeat(2, 0)}
    tensors = Tensors(values, 10, validation=0.2, sample=sample, steps_per_epoch=steps)
    module = placed(tensors, seed=4, rank=rank, world_size=2)
    for loader, epoch in ((module.train_dataloader(), 2), (module.val_dataloader(), 0)):
        loader.set_epoch(epoch)
        for number, batch in enumerate(loader):
            assert [{"row": int(x)} for x in batch["x"]] == loader.samples(epoch, number)


def test_bad_numbers_are_counted_in_the_rows_of_the_file(placed: Any) -> None:
    module = placed(Tensors({"x": np.arange(50.0)}, 10, validation=0.2))
    kept = [int(x) for batch in module.train_dataloader() for x in batch["x"]]
    values = np.arange(50.0)
    values[max(kept)] = np.inf
    module = placed(Tensors({"x": values}, 10, validation=0.2))
    with pytest.raises(DataError, match=f"in 1 of 40 rows; the first is row {max(kept)}"):
        module.stats["x"]
