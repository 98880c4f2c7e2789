import torch

from offline_trainer_core import LossOutput
from offline_trainer_core.testing import LossContract


def squares(outputs, targets):
    return (outputs - targets).square()


class TestSound(LossContract):
    breaks = ()

    def make(self):
        return lambda outputs, targets, batch, stage: LossOutput(self.score(outputs, targets), {"a": 1.0})

    def score(self, outputs, targets):
        return squares(outputs, targets).mean()

    def example(self):
        return {"outputs": torch.randn(4, 2, requires_grad=True), "targets": torch.randn(4, 2), "batch": {}}


class TestInfinite(TestSound):
    breaks = ("test_the_loss_is_a_finite_scalar",)

    def score(self, outputs, targets):
        return squares(outputs, targets).mean() + torch.inf


class TestDetached(TestSound):
    breaks = ("test_gradients_reach_the_outputs",)

    def score(self, outputs, targets):
        return squares(outputs, targets).mean() * 0 + outputs.detach().mean()


class TestRandom(TestSound):
    breaks = ("test_the_loss_is_a_function_of_its_arguments", "test_a_batch_twice_over_has_the_same_loss")

    def score(self, outputs, targets):
        return squares(outputs, targets).mean() + torch.rand(())


class TestSum(TestSound):
    breaks = ("test_a_batch_twice_over_has_the_same_loss",)

    def score(self, outputs, targets):
        return squares(outputs, targets).sum()


class TestReading(TestSound):
    breaks = ("test_it_reads_nothing_back_from_the_device",)

    def score(self, outputs, targets):
        loss = squares(outputs, targets).mean()
        return loss if loss > 0 else -loss
