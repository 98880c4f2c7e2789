"""Fields that are learned as differences from the present value of another."""

from __future__ import annotations

import pytest
import torch

from offline_trainer_core import CheckpointError, DataError
from offline_trainer_core.networks import Normalizer, PolicyModule

STATISTICS = {
    "action": {"mean": torch.tensor([1.0, -1.0]), "std": torch.tensor([2.0, 4.0]),
               "min": torch.tensor([-9.0, -9.0]), "max": torch.tensor([9.0, 9.0])},
    "state": {"mean": torch.zeros(3), "std": torch.tensor([10.0, 20.0, 30.0]),
              "min": torch.full((3,), -99.0), "max": torch.full((3,), 99.0)},
}  # fmt: skip
FIELDS = {"state": "mean_std", "action": "mean_std"}
RELATIVE = {"action": "state[1:3]"}


def batch_of(*, history: int | None, chunk: int | None) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    state = torch.randn(4, *([history] if history else []), 3, generator=generator)
    return {"state": state, "action": torch.randn(4, *([chunk] if chunk else []), 2, generator=generator)}


@pytest.mark.parametrize(("history", "chunk"), [(None, None), (None, 5), (2, 5), (1, None)])
def test_a_field_becomes_its_difference_from_the_present_value_of_another(history, chunk):
    batch = batch_of(history=history, chunk=chunk)
    normalized = Normalizer(FIELDS, STATISTICS, RELATIVE)(batch)
    for row in range(4):
        now = batch["state"][row] if history is None else batch["state"][row, -1]
        steps = batch["action"][row].view(-1, 2)
        for found, action in zip(normalized["action"][row].view(-1, 2), steps, strict=True):
            torch.testing.assert_close(
                found, (action - now[1:3] - torch.tensor([1.0, -1.0])) / torch.tensor([2.0, 4.0])
            )
    torch.testing.assert_close(normalized["state"], batch["state"] / torch.tensor([10.0, 20.0, 30.0]))


@pytest.mark.parametrize("fields", [FIELDS, {"state": "mean_std"}, {}])
def test_what_a_policy_predicts_is_added_to_what_it_observes_in_raw_units(fields):
    class Recalls:
        def act(self, observation):
            return normalized["action"]

    batch = batch_of(history=2, chunk=5)
    normalizer = Normalizer(fields, STATISTICS, RELATIVE)
    normalized = normalizer(batch)
    policy = PolicyModule(Recalls(), {}, normalizer)
    torch.testing.assert_close(policy({"state": batch["state"]}), batch["action"])
    moved = policy({"state": batch["state"] + torch.tensor([7.0, 1.0, 2.0])})
    torch.testing.assert_close(moved, batch["action"] + torch.tensor([1.0, 2.0]))


def test_a_reference_may_lie_in_a_nest_and_is_found_by_its_dotted_name_when_acting():
    relative = {"action": "obs.state[1:3]"}
    batch = batch_of(history=2, chunk=5)
    normalizer = Normalizer({"action": "mean_std"}, STATISTICS, relative)
    found = normalizer({"obs": {"state": batch["state"]}, "action": batch["action"]})["action"]
    assert torch.equal(found, Normalizer({"action": "mean_std"}, STATISTICS, RELATIVE)(batch)["action"])

    class Rests:
        def act(self, observation):
            return torch.zeros(4, 5, 2)

    absolute = PolicyModule(Rests(), {}, normalizer)({"obs.state": batch["state"]})
    torch.testing.assert_close(absolute - torch.tensor([1.0, -1.0]), batch["state"][:, -1:, 1:3].expand(4, 5, 2))


def test_it_comes_back_from_its_state_and_what_is_relative():
    normalizer, batch = Normalizer(FIELDS, STATISTICS, RELATIVE), batch_of(history=2, chunk=5)
    again = Normalizer.restored(FIELDS, normalizer.state_dict(), "step 1", RELATIVE)
    assert torch.equal(again(batch)["action"], normalizer(batch)["action"])
    without = Normalizer.restored(FIELDS, normalizer.state_dict(), "step 1")
    assert not torch.equal(without(batch)["action"], normalizer(batch)["action"])
    with pytest.raises(CheckpointError, match="step 1 has the statistics of action, state"):
        Normalizer.restored({}, normalizer.state_dict(), "step 1", RELATIVE)


@pytest.mark.parametrize(
    ("relative", "message"),
    [
        ({"action": "state"}, "state has 3 numbers, and what is to be relative to it has 2"),
        ({"action": "stat[0:2]"}, r"relative.action: no 'stat': the batch has state, action"),
        ({"actions": "state"}, r"relative.actions: no 'actions': the batch has state, action"),
    ],
)
def test_what_cannot_be_relative_is_refused(relative, message):
    with pytest.raises(DataError, match=message):
        Normalizer(FIELDS, STATISTICS, relative)(batch_of(history=2, chunk=5))


def test_what_is_observed_relative_to_the_present_is_so_when_acting_too():
    relative = {"past": "state"}
    statistics = {"past": STATISTICS["state"]}
    batch = {"state": torch.randn(4, 1, 3), "past": torch.randn(4, 2, 3), "action": torch.zeros(4, 2)}
    normalizer = Normalizer({"past": "mean_std"}, statistics, relative)

    class Looks:
        def act(self, observation):
            return observation["past"]

    seen = PolicyModule(Looks(), {}, normalizer)({"state": batch["state"], "past": batch["past"]})
    torch.testing.assert_close(seen, normalizer(batch)["past"])
    torch.testing.assert_close(seen, (batch["past"] - batch["state"]) / torch.tensor([10.0, 20.0, 30.0]))


def test_a_normalizer_with_nothing_but_differences_is_not_idle():
    assert not Normalizer({}, {}, RELATIVE).is_idle
    assert not Normalizer(FIELDS, STATISTICS).is_idle
    assert Normalizer({"action": "none"}, {}).is_idle
