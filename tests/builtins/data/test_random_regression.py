from __future__ import annotations

from typing import Any

import pytest
import torch

from offline_trainer_core.errors import DataError
from ot_builtins.data.random_regression import RandomRegression


def joined(loader: Any, name: str) -> torch.Tensor:
    return torch.cat([batch[name] for batch in loader]).flatten(1)


def test_it_has_the_shapes_and_the_number_of_batches_that_were_asked_for(placed: Any) -> None:
    module = placed(RandomRegression(8, steps_per_epoch=5, val_steps_per_epoch=2, x_shape=(3, 4), y_shape=(2,)))
    train, val = list(module.train_dataloader()), list(module.val_dataloader())
    assert (len(train), len(val)) == (5, 2)
    assert train[0]["x"].shape == (8, 3, 4)
    assert train[0]["y"].shape == (8, 2)
    assert placed(RandomRegression(8, 5, val_steps_per_epoch=0)).val_dataloader() is None


def test_what_is_learned_on_training_rows_holds_on_validation_rows(placed: Any) -> None:
    module = placed(RandomRegression(32, 100, 20, x_shape=(6,), y_shape=(2,)))
    train, val = module.train_dataloader(), module.val_dataloader()
    x, y = joined(train, "x"), joined(train, "y")
    error = (joined(val, "x") @ torch.linalg.lstsq(x, y).solution - joined(val, "y")).square().mean()
    unrelated = (joined(val, "x") @ torch.linalg.lstsq(x, y.roll(1, 0)).solution - joined(val, "y")).square().mean()
    assert error < 0.25 * unrelated


def test_the_problem_is_a_function_of_the_seed(placed: Any, assert_same_batches: Any) -> None:
    def loader(seed: int) -> Any:
        return placed(RandomRegression(8, 5), seed=seed).train_dataloader()

    assert_same_batches(loader(1), loader(1))
    with pytest.raises(AssertionError):
        assert_same_batches(loader(1), loader(2))


def test_sizes_must_be_positive() -> None:
    with pytest.raises(DataError, match="at least 1"):
        RandomRegression(x_shape=(3, 0))
