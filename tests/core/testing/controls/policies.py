import torch

from offline_trainer_core.testing import PolicyContract


class TestSound(PolicyContract):
    breaks = ()

    def make(self):
        return self

    def act(self, observation):
        return 2 * observation["x"]

    def observation(self, count):
        return {"x": torch.tensor([[1.0], [2.0], [3.0], [5.0]])[:count]}


class TestSingle(TestSound):
    breaks = ("test_there_is_one_finite_action_for_each_observation",)

    def act(self, observation):
        return 2 * observation["x"][:1]


class TestCentred(TestSound):
    breaks = ("test_an_action_does_not_depend_on_the_rest_of_the_batch",)

    def act(self, observation):
        return observation["x"] - observation["x"].mean()


class TestRandom(TestSound):
    breaks = (
        "test_the_same_seed_gives_the_same_actions",
        "test_an_action_does_not_depend_on_the_rest_of_the_batch",
    )

    def act(self, observation):
        return torch.randn_like(observation["x"])


class TestWriting(TestSound):
    breaks = ("test_an_observation_is_left_as_it_was",)

    def act(self, observation):
        return observation["x"].mul_(2)
