import torch
from torch.optim.lr_scheduler import LambdaLR, StepLR

from offline_trainer_core import SchedulerBundle
from offline_trainer_core.testing import OptimizerFactoryContract, SchedulerFactoryContract


def trainable(model):
    return [p for p in model.parameters() if p.requires_grad]


class Factory:
    def __init__(self, build):
        self._build = build

    def build(self, thing, *, registry):
        return self._build(thing)


class TestSoundOptimizer(OptimizerFactoryContract):
    breaks = ()

    def make(self):
        return Factory(lambda model: torch.optim.SGD(trainable(model), lr=0.1, momentum=0.9))


class TestForgetful(OptimizerFactoryContract):
    breaks = ("test_every_trainable_parameter_is_owned_exactly_once",)

    def make(self):
        return Factory(lambda model: torch.optim.SGD(trainable(model)[1:], lr=0.1))


class TestUphill(OptimizerFactoryContract):
    breaks = ("test_steps_lower_the_loss",)

    def make(self):
        return Factory(lambda model: torch.optim.SGD(trainable(model), lr=0.1, maximize=True))


class Stateless(torch.optim.SGD):
    def state_dict(self):
        return {**super().state_dict(), "state": {}}


class TestStateless(OptimizerFactoryContract):
    breaks = ("test_a_restored_optimizer_goes_on_as_if_nothing_had_happened",)

    def make(self):
        return Factory(lambda model: Stateless(trainable(model), lr=0.1, momentum=0.9))


class TestSoundScheduler(SchedulerFactoryContract):
    breaks = ()

    def make(self):
        return Factory(lambda optimizer: SchedulerBundle(StepLR(optimizer, 3)))


class TestUnmonitored(SchedulerFactoryContract):
    breaks = ("test_the_bundle_says_when_it_steps",)

    def make(self):
        return Factory(lambda optimizer: SchedulerBundle(StepLR(optimizer, 3), monitor="loss"))


class TestConstant(SchedulerFactoryContract):
    breaks = ("test_learning_rates_change_and_are_never_negative",)

    def make(self):
        return Factory(lambda optimizer: SchedulerBundle(LambdaLR(optimizer, lambda step: 1.0)))


class StatelessSchedule(StepLR):
    def state_dict(self):
        return {}


class TestStatelessSchedule(SchedulerFactoryContract):
    breaks = ("test_a_restored_schedule_goes_on_as_if_nothing_had_happened",)

    def make(self):
        return Factory(lambda optimizer: SchedulerBundle(StatelessSchedule(optimizer, 3)))
