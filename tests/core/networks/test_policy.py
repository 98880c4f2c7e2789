"""The trained policy: raw observations in, raw actions out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from offline_trainer_core import ComponentError, DataError, select
from offline_trainer_core.networks import FieldInfo, Normalizer, PolicyModule, TrainedPolicy

STATISTICS = {
    "observation": {"mean": torch.tensor([1.0, 2.0]), "std": torch.tensor([2.0, 4.0]),
                    "min": torch.tensor([-5.0, -5.0]), "max": torch.tensor([5.0, 5.0])},
    "action": {"mean": torch.zeros(1), "std": torch.ones(1), "min": torch.tensor([0.0]), "max": torch.tensor([512.0])},
}  # fmt: skip
NORMALIZER = Normalizer({"observation": "mean_std", "action": "min_max"}, STATISTICS)


def policy_of(algorithm):
    return TrainedPolicy(PolicyModule(algorithm, {}, NORMALIZER), torch.device("cpu"))


class First:
    """Acts with the first normalized number that it observes."""

    def act(self, observation):
        self.saw = observation
        return observation["observation"][:, :1]


def test_observations_are_normalized_and_actions_are_in_the_units_of_the_data():
    algorithm = First()
    action = policy_of(algorithm).act({"observation": torch.tensor([[2.0, 2.0]])})
    assert algorithm.saw["observation"].tolist() == [[0.5, 0.0]]
    assert action.tolist() == [[256 + 256 * 0.5]]


def test_the_algorithm_says_which_field_its_actions_are():
    algorithm = First()
    algorithm.action_field = "torque"
    action = policy_of(algorithm).act({"observation": torch.tensor([[2.0, 2.0]])})
    assert action.tolist() == [[0.5]], "a field that is not normalized is left as it is"


def test_arrays_will_do_and_no_gradients_are_kept():
    weight = torch.nn.Parameter(torch.ones(1))

    class Trained:
        def act(self, observation):
            return observation["observation"][:, :1] * weight

    action = policy_of(Trained()).act({"observation": np.array([[2.0, 2.0]], dtype=np.float32)})
    assert not action.requires_grad
    assert action.dtype is torch.float32


def test_reset_reaches_an_algorithm_that_wants_it():
    class Remembering(First):
        def reset(self, seed):
            self.seed = seed

    algorithm = Remembering()
    policy_of(algorithm).reset(7)
    assert algorithm.seed == 7
    policy_of(First()).reset(7)


def test_an_algorithm_that_cannot_act_is_refused():
    with pytest.raises(ComponentError, match="object has no 'act' method"):
        policy_of(object())


class Dreaming:
    """Acts with what it is given to dream of."""

    noise_shape = (3, 1)

    def act(self, observation, noise):
        return noise


SEEN = {"observation": torch.zeros(2, 2)}


def test_noise_is_drawn_for_a_policy_that_takes_some():
    dreamed = policy_of(Dreaming()).act(SEEN)
    assert dreamed.shape == (2, 3, 1)
    assert not torch.equal(dreamed[0], dreamed[1])


def test_what_is_drawn_is_a_function_of_the_seed_and_of_nothing_else():
    policy = policy_of(Dreaming())
    policy.reset(5)
    first, second = policy(SEEN), policy(SEEN)
    assert not torch.equal(first, second)
    policy.reset(5)
    torch.manual_seed(1)
    assert torch.equal(policy(SEEN), first)
    policy.reset(6)
    assert not torch.equal(policy(SEEN), first)


def test_noise_that_is_given_is_taken():
    noise = torch.ones(2, 3, 1)
    assert policy_of(Dreaming())(SEEN, noise).unique().tolist() == [512.0]


def test_the_module_has_the_weights_of_the_networks_and_of_the_normalizer():
    module = PolicyModule(First(), {"actor": torch.nn.Linear(2, 1)}, NORMALIZER)
    names = set(module.state_dict())
    assert {"networks.actor.weight", "networks.actor.bias"} < names
    assert all(name.startswith(("networks.actor.", "normalizer.")) for name in names)


class Reads:
    """Acts with one field, wherever that is in a nest."""

    def __init__(self, field):
        self.field = field

    def act(self, observation):
        return select(observation, self.field)


@pytest.mark.parametrize(
    "observation", [{"robot.state": torch.ones(2, 1)}, {"robot": {"state": torch.ones(2, 1)}}], ids=["names", "nest"]
)
def test_fields_with_dotted_names_are_read_as_in_a_batch(observation):
    assert policy_of(Reads("robot.state"))(observation).tolist() == [[512.0], [512.0]]


def test_a_field_that_is_not_observed_is_named():
    with pytest.raises(DataError, match=r"no 'robot\.speed': robot has state; the observation has: robot\.state"):
        policy_of(Reads("robot.speed"))({"robot.state": torch.ones(2, 1)})


@pytest.mark.parametrize("shape", [(2,), (4, 3)], ids=["no batch dimension", "other numbers"])
def test_a_field_of_another_shape_than_in_training_is_refused(shape):
    with pytest.raises(
        DataError, match=r"'observation' has the shape .*, and the policy was trained on .* last \(2,\)"
    ):
        policy_of(First())({"observation": torch.ones(shape)})


def test_numbers_are_taken_in_the_precision_of_training():
    algorithm = First()
    policy_of(algorithm)({"observation": np.ones((3, 2))})
    assert algorithm.saw["observation"].dtype is torch.float32


FIELDS = {"image": FieldInfo((8, 8, 3), "uint8"), "state": FieldInfo((2,), "float32")}
OBSERVED = {"image": torch.zeros(4, 8, 8, 3, dtype=torch.uint8), "state": torch.ones(4, 2)}


def on_record(observation):
    return TrainedPolicy(lambda seen, noise: torch.ones(len(seen)), torch.device("cpu"), fields=FIELDS)(observation)


def test_what_is_on_record_is_taken_and_the_rest_left_out():
    assert on_record({**OBSERVED, "clock": torch.ones(7)}).shape == (2,)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"state": None}, "it has no field 'state'"),
        ({"state": torch.ones(2)}, r"'state' has the shape \(2,\), which lacks the batch dimension"),
        ({"state": torch.ones(4, 3)}, r"'state' has the shape \(4, 3\)"),
        ({"image": torch.zeros(4, 8, 8, 3)}, "'image' is float32"),
        ({"state": torch.ones(5, 2)}, "different numbers of rows: image 4, state 5"),
    ],
)
def test_an_observation_that_is_not_as_on_record_is_refused(changed, message):
    observation = {name: value for name, value in {**OBSERVED, **changed}.items() if value is not None}
    with pytest.raises(DataError, match=rf"{message}.*observes image: uint8 \(B, 8, 8, 3\), state: float32 \(B, 2\)"):
        on_record(observation)
