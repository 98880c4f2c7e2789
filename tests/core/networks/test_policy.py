"""The trained policy: raw observations in, raw actions out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from offline_trainer_core import ComponentError
from offline_trainer_core.networks import Normalizer, PolicyModule, TrainedPolicy

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
