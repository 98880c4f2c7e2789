"""The trained policy: raw observations in, raw actions out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from offline_trainer_core import ComponentError
from offline_trainer_core.engine import Normalizer, TrainedPolicy

STATISTICS = {
    "observation": {"mean": torch.tensor([1.0, 2.0]), "std": torch.tensor([2.0, 4.0]),
                    "min": torch.tensor([-5.0, -5.0]), "max": torch.tensor([5.0, 5.0])},
    "action": {"mean": torch.zeros(1), "std": torch.ones(1), "min": torch.tensor([0.0]), "max": torch.tensor([512.0])},
}  # fmt: skip
NORMALIZER = Normalizer({"observation": "mean_std", "action": "min_max"}, STATISTICS)
CPU = torch.device("cpu")


class First:
    """Acts with the first normalized number that it observes."""

    def act(self, observation):
        self.saw = observation
        return observation["observation"][:, :1]


def test_observations_are_normalized_and_actions_are_in_the_units_of_the_data():
    algorithm = First()
    action = TrainedPolicy(algorithm, NORMALIZER, CPU).act({"observation": torch.tensor([[2.0, 2.0]])})
    assert algorithm.saw["observation"].tolist() == [[0.5, 0.0]]
    assert action.tolist() == [[256 + 256 * 0.5]]


def test_the_algorithm_says_which_field_its_actions_are():
    algorithm = First()
    algorithm.action_field = "torque"
    action = TrainedPolicy(algorithm, NORMALIZER, CPU).act({"observation": torch.tensor([[2.0, 2.0]])})
    assert action.tolist() == [[0.5]], "a field that is not normalized is left as it is"


def test_arrays_will_do_and_no_gradients_are_kept():
    weight = torch.nn.Parameter(torch.ones(1))

    class Trained:
        def act(self, observation):
            return observation["observation"][:, :1] * weight

    action = TrainedPolicy(Trained(), NORMALIZER, CPU).act({"observation": np.array([[2.0, 2.0]], dtype=np.float32)})
    assert not action.requires_grad
    assert action.dtype is torch.float32


def test_reset_reaches_an_algorithm_that_wants_it():
    class Remembering(First):
        def reset(self, seed):
            self.seed = seed

    algorithm = Remembering()
    TrainedPolicy(algorithm, NORMALIZER, CPU).reset(7)
    assert algorithm.seed == 7
    TrainedPolicy(First(), NORMALIZER, CPU).reset(7)


def test_an_algorithm_that_cannot_act_is_refused():
    with pytest.raises(ComponentError, match="object has no 'act' method"):
        TrainedPolicy(object(), NORMALIZER, CPU)
