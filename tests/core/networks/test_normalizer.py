"""Normalization beside the formulas written out."""

from __future__ import annotations

import logging
from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch

from offline_trainer_core import CheckpointError, DataError
from offline_trainer_core.networks import Normalizer


@pytest.fixture
def rows():
    return torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0, 0.1]) + 4.0


def describe(rows):
    names = {"mean": rows.mean(0), "std": rows.std(0, unbiased=False), "min": rows.amin(0), "max": rows.amax(0)}
    return {name: value.double() for name, value in names.items()}


@pytest.fixture
def statistics(rows):
    return {"observation": describe(rows), "action": describe(-2 * rows)}


@pytest.mark.parametrize("mode", ["mean_std", "min_max"])
@pytest.mark.parametrize("shape", [(7, 3), (7, 4, 3)])
def test_values_are_those_of_the_formula_for_rows_and_for_windows(statistics, mode, shape):
    value = torch.randn(shape)
    normalizer = Normalizer({"observation": mode}, statistics)
    s = {name: tensor.float() for name, tensor in statistics["observation"].items()}
    by_hand = {
        "mean_std": (value - s["mean"]) / s["std"],
        "min_max": 2 * (value - s["min"]) / (s["max"] - s["min"]) - 1,
    }
    found = normalizer({"observation": value})["observation"]
    torch.testing.assert_close(found, by_hand.pop(mode))
    assert not torch.allclose(found, *by_hand.values())


def test_min_max_maps_the_data_onto_minus_one_to_one(rows, statistics):
    normalized = Normalizer({"observation": "min_max"}, statistics).normalize("observation", rows)
    torch.testing.assert_close(normalized.amin(0), -torch.ones(3))
    torch.testing.assert_close(normalized.amax(0), torch.ones(3))


@pytest.mark.parametrize("mode", ["mean_std", "min_max"])
def test_denormalizing_brings_values_back(rows, statistics, mode):
    normalizer = Normalizer({"action": mode}, statistics)
    torch.testing.assert_close(normalizer.denormalize("action", normalizer.normalize("action", rows)), rows)
    assert not torch.allclose(normalizer.normalize("action", rows), rows)


def test_a_field_shares_the_statistics_of_another(rows, statistics):
    fields = {"observation": "mean_std", "next_observation": "observation"}
    normalized = Normalizer(fields, statistics)({"observation": rows, "next_observation": rows, "reward": rows})
    assert torch.equal(normalized["next_observation"], normalized["observation"])
    assert torch.equal(normalized["reward"], rows)
    assert set(Normalizer(fields, statistics).state_dict()) == {"observation:shift", "observation:scale"}


def test_constant_dimensions_are_passed_through_and_named_once(rows, caplog):
    rows = rows.clone()
    rows[:, 1] = 0.3
    fields = {"observation": "mean_std", "next_observation": "observation"}
    with caplog.at_level(logging.WARNING):
        normalizer = Normalizer(fields, {"observation": describe(rows)})
        for _ in range(3):
            normalized = normalizer.normalize("observation", rows + 1)
    assert torch.equal(normalized[:, 1], rows[:, 1] + 1)
    assert not torch.allclose(normalized[:, 0], rows[:, 0] + 1)
    assert [r.getMessage() for r in caplog.records] == [
        "normalize.observation: constant dimensions are passed through: [1]"
    ]


def test_a_constant_field_of_one_number_is_named_too(caplog):
    Normalizer({"reward": "min_max"}, {"reward": {name: torch.tensor(2.0) for name in ("mean", "std", "min", "max")}})
    assert "normalize.reward: constant dimensions are passed through" in caplog.text


@dataclass(frozen=True)
class Sample:
    observation: torch.Tensor
    action: torch.Tensor


Pair = namedtuple("Pair", "observation action")


@pytest.mark.parametrize(
    ("nest", "path"),
    [
        (lambda x: {"obs": {"state": x}, "rest": 1}, "obs.state"),
        (lambda x: [x, 1], "0"),
        (lambda x: (1, (x, 2)), "1.0"),
        (lambda x: {"0": x}, "0"),
        (lambda x: Sample(x, x), "observation"),
        (lambda x: Pair(x, x), "observation"),
    ],
    ids=["mapping", "list", "tuple", "key-of-digits", "dataclass", "namedtuple"],
)
def test_a_field_may_lie_anywhere_in_a_nest(rows, statistics, nest, path):
    from offline_trainer_core import select

    normalizer = Normalizer({path: "mean_std"}, {path: statistics["observation"]})
    batch = nest(rows)
    found = normalizer(batch)
    assert type(found) is type(batch)
    assert torch.equal(select(found, path), normalizer.normalize(path, rows))
    assert torch.equal(select(batch, path), rows), "the batch itself is left as it was"


def test_fields_that_an_observation_lacks_are_not_missed_when_acting(rows, statistics):
    normalizer = Normalizer({"observation": "mean_std", "action": "mean_std"}, statistics)
    present = normalizer.present({"observation": rows, "other": rows})
    assert torch.equal(present["observation"], normalizer.normalize("observation", rows))
    assert torch.equal(present["other"], rows)
    with pytest.raises(DataError, match=r"normalize.action: no 'action': the batch has observation"):
        normalizer({"observation": rows})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reward": "mean_std"}, "no statistics for 'reward'; the data module has them for: observation, action"),
        ({"observation": "meanstd"}, "'meanstd' is neither mean_std, min_max, none nor a field"),
        ({"observation": "none", "next_observation": "observation"}, "normalize.next_observation"),
    ],
)
def test_what_cannot_be_normalized_is_refused(statistics, fields, message):
    with pytest.raises(DataError, match=message):
        Normalizer(fields, statistics)


@pytest.mark.parametrize(
    ("mode", "given", "message"),
    [
        ("min_max", {"mean", "std"}, "min_max needs the statistics min, max .* has mean, std: let it give min and max"),
        ("mean_std", {"mean", "std"}, "mean_std needs the statistics min, max, mean, std .* has mean, std: .* min and"),
        ("mean_std", {"min", "max", "mean"}, "let it give std too, or take the field out of normalize"),
        ("min_max", set(), "the data module has none: let it give min and max too"),
    ],
)
def test_statistics_that_lack_what_a_mode_needs_are_refused(statistics, mode, given, message):
    partial = {name: value for name, value in statistics["observation"].items() if name in given}
    with pytest.raises(DataError, match=f"^normalize.observation: .*{message}"):
        Normalizer({"observation": mode}, {"observation": partial})


def test_the_extremes_are_all_that_min_max_needs(rows, statistics):
    extremes = {name: statistics["observation"][name] for name in ("min", "max")}
    whole = Normalizer({"observation": "min_max"}, statistics)
    assert torch.equal(
        Normalizer({"observation": "min_max"}, {"observation": extremes}).normalize("observation", rows),
        whole.normalize("observation", rows),
    )


def test_none_leaves_a_field_as_it_is(rows, statistics):
    normalizer = Normalizer({"observation": "none"}, {})
    assert torch.equal(normalizer({"observation": rows})["observation"], rows)
    assert torch.equal(normalizer.denormalize("observation", rows), rows)


def test_it_comes_back_from_its_state_without_data(rows, statistics):
    fields = {"observation": "mean_std", "next": "observation", "action": "min_max", "reward": "none"}
    original = Normalizer(fields, statistics)
    restored = Normalizer.restored(fields, original.state_dict(), "here")
    batch = {"observation": rows, "next": rows + 1, "action": -rows, "reward": rows[:, 0]}
    expected, got = original(batch), restored(batch)
    assert all(torch.equal(got[name], expected[name]) for name in batch)


def test_the_state_of_other_fields_is_refused(statistics):
    state = Normalizer({"observation": "mean_std"}, statistics).state_dict()
    with pytest.raises(CheckpointError, match=r"^here has the statistics of observation, and .* normalizes action$"):
        Normalizer.restored({"action": "mean_std"}, state, "here")
