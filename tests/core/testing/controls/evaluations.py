from pathlib import Path

import pytest
import torch

from offline_trainer_core.testing import EvaluationContract


class Walk:
    def evaluate(self, policy, *, run, step):
        generator = torch.Generator().manual_seed(0)
        action = policy.act({"x": torch.randn(3, 2, generator=generator)})
        (run.dir / "walk.txt").write_text(str(step))
        return {"return_mean": self.score(action.mean().item())}

    def score(self, value):
        return value


class Policy:
    def act(self, observation):
        return observation["x"].sum(1)


class TestSound(EvaluationContract):
    breaks = ()
    make = Walk

    def policy(self):
        return Policy()


class Undefined(Walk):
    def score(self, value):
        return float("inf")


class TestUndefined(TestSound):
    breaks = ("test_scores_are_finite_numbers",)
    make = Undefined


class Random(Walk):
    def score(self, value):
        return value + torch.rand(()).item()


class TestRandom(TestSound):
    breaks = ("test_the_same_policy_gets_the_same_scores", "test_training_goes_on_with_the_same_randomness")
    make = Random


class Littering(Walk):
    def score(self, value):
        Path("report.txt").write_text(str(value))
        return value


class TestLittering(TestSound):
    breaks = ("test_it_writes_below_the_run_folder_only",)
    make = Littering

    @pytest.fixture(autouse=True)
    def _somewhere(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
