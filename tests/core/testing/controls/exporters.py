from pathlib import Path
from typing import ClassVar

import torch

from offline_trainer_core.testing import ExporterContract

ACTS = "test_it_acts_as_the_policy_with_any_number_of_rows_and_any_order_of_fields"
CHANGES = "test_it_changes_nothing_but_its_folder"


class TestSound(ExporterContract):
    breaks = ()

    def make(self):
        return Pickled()


class Pickled:
    def write(self, *, policy, folder):
        torch.save(policy, folder / "policy.pt")

    def load(self, *, folder, device):
        return torch.load(folder / "policy.pt", map_location=device, weights_only=False)


class TestWithoutNoise(TestSound):
    breaks = (ACTS,)

    def make(self):
        return Deterministic()


class Deterministic(Pickled):
    def load(self, *, folder, device):
        policy = super().load(folder=folder, device=device)
        return lambda observation, noise: policy(observation, torch.zeros_like(noise))


class TestByPosition(TestSound):
    breaks = (ACTS,)

    def make(self):
        return Positional()


class Positional(Pickled):
    def load(self, *, folder, device):
        policy = super().load(folder=folder, device=device)
        names = ("observation.image", "observation.state")
        return lambda observation, noise: policy(dict(zip(names, observation.values(), strict=False)), noise)


class TestForgetful(TestSound):
    breaks = (CHANGES,)

    def make(self):
        return Emptying()


class Emptying(Pickled):
    def write(self, *, policy, folder):
        super().write(policy=policy, folder=folder)
        policy.train()


class TestElsewhere(TestSound):
    breaks = (CHANGES,)
    exempt: ClassVar = {ACTS: "it writes into the working directory, which is that of the tests"}

    def make(self):
        return Untidy()


class Untidy(Pickled):
    def write(self, *, policy, folder):
        super().write(policy=policy, folder=folder)
        Path("log.txt").write_text("written")
