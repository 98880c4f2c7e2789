"""A smaller batch of the same data."""

from __future__ import annotations

import pytest
import torch

from offline_trainer_core import DataError
from ot_policy_constructor.inspection.rows import batch_size_of, with_rows
from ot_policy_constructor.inspection.shapes import linear


def test_tensors_and_lists_of_texts_are_cut_to_the_first_samples():
    batch = {"x": torch.arange(10).view(5, 2), "tasks": ["a", "b", "c", "d", "e"], "scale": torch.tensor(2.0)}
    cut = with_rows(batch, 2)
    assert torch.equal(cut["x"], batch["x"][:2])
    assert cut["tasks"] == ["a", "b"]
    assert cut["scale"] is batch["scale"]


def test_what_has_another_first_dimension_stays_whole():
    grid = torch.zeros(7, 3)
    assert with_rows({"x": torch.zeros(5, 2), "grid": grid}, 2)["grid"] is grid


def test_a_batch_of_one_sample_is_repeated():
    batch = {"x": torch.tensor([[1.0, 2.0]])}
    assert torch.equal(with_rows(batch, 3)["x"], torch.tensor([[1.0, 2.0]] * 3))


def test_a_batch_without_a_tensor_has_no_size():
    with pytest.raises(DataError, match="no tensor with a batch dimension"):
        batch_size_of({"x": torch.tensor(1.0)})


@pytest.mark.parametrize(("first", "second", "text"), [(2, 3, "B"), (40, 60, "20B"), (7, 7, "7"), (5, 6, "B+3")])
def test_sizes_are_written_as_functions_of_the_batch(first, second, text):
    size = linear(first, second)
    assert str(size) == text
    assert (size.at(2), size.at(3)) == (first, second)
