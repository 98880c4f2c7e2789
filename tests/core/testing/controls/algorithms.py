import torch
from torch import nn
from torch.nn import functional as F

from offline_trainer_core.testing import AlgorithmContract


class Fit:
    action_field = "y"

    def setup(self, *, model):
        self.model = model

    def update(self, batch, step):
        loss = self.score(batch)
        step.optimize("model", loss)
        return {"loss": loss}

    def score(self, batch):
        return F.mse_loss(self.model(batch["x"]), batch["y"])

    def validate(self, batch):
        outputs = self.model(batch["x"])
        return {"loss": F.mse_loss(outputs, batch["y"])}, outputs, batch["y"]

    def act(self, observation):
        return self.model(observation["x"])


class TestSound(AlgorithmContract):
    breaks = ()
    make = Fit

    def models(self):
        return {"model": nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 1))}

    def batch(self, index):
        x = torch.randn(6, 3, generator=torch.Generator().manual_seed(index))
        return {"x": x, "y": x.sum(1, keepdim=True)}


class Uphill(Fit):
    def update(self, batch, step):
        loss = self.score(batch)
        step.optimize("model", -loss)
        return {"loss": loss}


class TestUphill(TestSound):
    breaks = ("test_training_lowers_what_it_should",)
    make = Uphill


class TestUnnamed(TestSound):
    breaks = ("test_training_lowers_what_it_should",)
    falls = "critic_loss"


class Reading(Fit):
    def score(self, batch):
        loss = super().score(batch)
        return loss if loss.item() < 10 else loss.clamp(max=10)


class TestReading(TestSound):
    breaks = ("test_an_update_reads_nothing_back_from_the_device",)
    make = Reading


class Writing(Fit):
    def score(self, batch):
        batch["y"].mul_(0.5)
        return super().score(batch)


class TestWriting(TestSound):
    breaks = ("test_a_batch_is_left_as_it_was", "test_a_run_in_two_parts_ends_as_one_in_one")
    make = Writing


class Forgetful(Fit):
    """Trains less and less, and does not say how far it is."""

    def __init__(self):
        self.weight = 1.0

    def score(self, batch):
        self.weight *= 0.9
        return super().score(batch) * self.weight


class TestForgetful(TestSound):
    breaks = ("test_a_run_in_two_parts_ends_as_one_in_one",)
    make = Forgetful


class Randomised(Fit):
    def validate(self, batch):
        return super().validate({**batch, "x": torch.randn_like(batch["x"])})


class TestRandomised(TestSound):
    breaks = ("test_validation_repeats_itself_and_changes_nothing",)
    make = Randomised


class Single(Fit):
    def act(self, observation):
        return self.model(observation["x"])[:1]


class TestSingle(TestSound):
    breaks = ("test_its_policy_acts",)
    make = Single
