import torch
from torch import nn

from offline_trainer_core.testing import ModuleContract


class TestSound(ModuleContract):
    breaks = ()

    def make(self):
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))

    def inputs(self, count):
        return (torch.linspace(-1, 1, 12).view(4, 3)[:count],)


class Idle(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)
        self.extra = nn.Parameter(torch.zeros(1))


class TestIdle(TestSound):
    breaks = ("test_every_parameter_gets_a_gradient",)
    make = Idle


class Centring(nn.Linear):
    def __init__(self):
        super().__init__(3, 2)

    def forward(self, x):
        return super().forward(x - x.mean(0))


class TestCentring(TestSound):
    breaks = ("test_in_eval_mode_a_sample_does_not_see_the_others",)
    make = Centring


class Noisy(Centring):
    def forward(self, x):
        return nn.Linear.forward(self, x + torch.randn_like(x))


class TestNoisy(TestSound):
    breaks = (
        "test_in_eval_mode_a_call_repeats_itself",
        "test_in_eval_mode_a_sample_does_not_see_the_others",
        "test_weights_survive_a_checkpoint",
        "test_a_copy_has_weights_of_its_own",
    )
    make = Noisy


class Forgetful(Centring):
    def __init__(self):
        super().__init__()
        self.shift = torch.randn(3)

    def forward(self, x):
        return nn.Linear.forward(self, x + self.shift)


class TestForgetful(TestSound):
    breaks = ("test_weights_survive_a_checkpoint",)
    make = Forgetful


class Sharing(Centring):
    def __deepcopy__(self, memo):
        return self

    def forward(self, x):
        return nn.Linear.forward(self, x)


class TestSharing(TestSound):
    breaks = ("test_a_copy_has_weights_of_its_own",)
    make = Sharing
