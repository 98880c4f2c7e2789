import torch

from offline_trainer_core.testing import MetricContract


class Mean:
    def __init__(self):
        self.reset()

    def update(self, *, outputs, targets, batch, stage):
        self.sums = self.sums + torch.stack([outputs.sum(), torch.tensor(float(len(outputs)))])

    def reduce(self, collectives):
        self.sums = collectives.all_reduce_sum(self.sums)

    def compute(self):
        return {"mean": self.sums[0] / self.sums[1]}

    def reset(self):
        self.sums = torch.zeros(2)


class TestSound(MetricContract):
    breaks = ()
    make = Mean

    def example(self, count):
        return {"outputs": torch.tensor([1.0, 5.0, 2.0, 8.0, 3.0, 13.0])[:count], "targets": None, "batch": {}}


class Nameless(Mean):
    def compute(self):
        return {}


class TestNameless(TestSound):
    breaks = ("test_values_have_names_and_are_numbers",)
    make = Nameless


class MeanOfMeans(Mean):
    def update(self, *, outputs, targets, batch, stage):
        self.sums = self.sums + torch.stack([outputs.mean(), torch.tensor(1.0)])


class TestMeanOfMeans(TestSound):
    breaks = ("test_two_updates_are_worth_the_same_as_one", "test_processes_compute_what_one_would")
    make = MeanOfMeans


class Unforgetting(Mean):
    def reset(self):
        self.sums = getattr(self, "sums", torch.zeros(2))


class TestUnforgetting(TestSound):
    breaks = ("test_reset_forgets_everything",)
    make = Unforgetting


class Local(Mean):
    reduce = None

    def __getattribute__(self, name):
        if name == "reduce":
            raise AttributeError(name)
        return super().__getattribute__(name)


class TestLocal(TestSound):
    breaks = ("test_processes_compute_what_one_would",)
    make = Local


class Reading(Mean):
    def update(self, *, outputs, **rest):
        super().update(outputs=outputs * float(outputs.isfinite().all()), **rest)


class TestReading(TestSound):
    breaks = ("test_an_update_reads_nothing_back_from_the_device",)
    make = Reading
