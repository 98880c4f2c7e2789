import torch

from offline_trainer_core.testing import CallbackContract


class Count:
    def __init__(self):
        self.steps = 0

    def on_train_step_end(self, context):
        self.steps += 1

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


class TestSound(CallbackContract):
    breaks = ()
    make = Count


class Misspelled(Count):
    def on_train_step_ends(self, context):
        """No such hook."""


class TestMisspelled(TestSound):
    breaks = (
        "test_its_hooks_exist",
        "test_a_run_with_it_ends_well",
        "test_training_is_the_same_with_it",
        "test_a_step_reads_nothing_back_from_the_device",
        "test_its_state_survives_a_restart",
    )
    make = Misspelled


class Shaking(Count):
    def post_optim(self, context):
        with torch.no_grad():
            for parameter in context.model.parameters():
                parameter.mul_(0.99)


class TestShaking(TestSound):
    breaks = ("test_training_is_the_same_with_it",)
    make = Shaking


class Reading(Count):
    def on_train_step_end(self, context, logs):
        super().on_train_step_end(context)
        self.last = logs["loss"].item()


class TestReading(TestSound):
    breaks = ("test_a_step_reads_nothing_back_from_the_device",)
    make = Reading


class Forgetful(Count):
    def load_state_dict(self, state):
        pass


class TestForgetful(TestSound):
    breaks = ("test_its_state_survives_a_restart",)
    make = Forgetful
