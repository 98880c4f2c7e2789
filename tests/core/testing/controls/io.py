import torch

from offline_trainer_core import ArgsKwargs, select
from offline_trainer_core.testing import IOContract


class Pick:
    def split(self, batch, *, stage):
        target = None if stage == "predict" else select(batch, "y")
        return ArgsKwargs((select(batch, "x"),)), target, {}


class TestSound(IOContract):
    breaks = ()
    make = Pick

    def observation(self):
        return {"x": torch.arange(3.0)}

    def batch(self):
        return {**self.observation(), "y": torch.ones(3)}


class Empty(Pick):
    def split(self, batch, *, stage):
        _, target, meta = super().split(batch, stage=stage)
        return ArgsKwargs(), target, meta


class TestEmpty(TestSound):
    breaks = ("test_a_batch_becomes_inputs_targets_and_meta",)
    make = Empty


class Greedy(Pick):
    def split(self, batch, *, stage):
        return ArgsKwargs((select(batch, "x"),)), select(batch, "y"), {}


class TestGreedy(TestSound):
    breaks = ("test_the_inputs_are_those_of_training",)
    make = Greedy


class Writing(Pick):
    def split(self, batch, *, stage):
        inputs, target, meta = super().split(batch, stage=stage)
        batch["x"] += 1
        return inputs, target, meta


class TestWriting(TestSound):
    breaks = ("test_a_batch_is_left_as_it_was",)
    make = Writing


class Silent(Pick):
    def split(self, batch, *, stage):
        return ArgsKwargs((batch["x"],)), batch.get("y"), {}


class TestSilent(TestSound):
    breaks = ("test_a_missing_field_is_explained_by_what_there_is",)
    make = Silent
