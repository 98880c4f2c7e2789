"""The contract of `eval.*`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_trainer_core.engine import call_with_parts
from offline_trainer_core.engine.seeding import Generators
from offline_trainer_core.networks import seed_everything
from offline_trainer_core.testing.contract import Contract, same
from offline_trainer_core.types import RunInfo

__all__ = ["EvaluationContract"]


class EvaluationContract(Contract):
    """Scores are finite and repeat themselves; an evaluation writes below the run folder and disturbs no training."""

    def policy(self) -> Any:
        """Return a policy to evaluate, the same every time."""
        raise NotImplementedError(f"{type(self).__name__} must define policy()")

    def datamodule(self) -> Any:
        """Return the data of the run, set up, the same every time; for an evaluation that asks for it."""
        return None

    def scores(self, folder: Path, seed: int = 0) -> Mapping[str, float]:
        """Return what a fresh evaluation gives a fresh policy, the global generators being at `seed`."""
        folder.mkdir(parents=True, exist_ok=True)
        run = RunInfo("contract", folder, device=torch.device("cpu"))
        parts = {"run": run, "step": 10, "datamodule": self.datamodule()}
        policy = self.policy()
        seed_everything(seed)
        result: Mapping[str, float] = call_with_parts(partial(self.make().evaluate, policy), parts, "an evaluation")
        return result

    def test_scores_are_finite_numbers(self, tmp_path: Path) -> None:
        scores = self.scores(tmp_path)
        assert scores, "it gives no score"
        wrong = {name: value for name, value in scores.items() if not math.isfinite(value)}
        assert not wrong, f"these are not finite: {wrong}"

    def test_the_same_policy_gets_the_same_scores(self, tmp_path: Path) -> None:
        assert self.scores(tmp_path / "a", seed=1) == self.scores(tmp_path / "b", seed=2)

    def test_training_goes_on_with_the_same_randomness(self, tmp_path: Path) -> None:
        self.policy()
        seed_everything(3)
        before = Generators().state_dict()
        self.scores(tmp_path, seed=3)
        after = Generators().state_dict()
        moved = [name for name in before if not _same_state(before[name], after[name])]
        assert not moved, f"it draws from the global generators of: {', '.join(moved)}"

    def test_it_writes_below_the_run_folder_only(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        self.scores(tmp_path / "run")
        assert not list(elsewhere.iterdir()), "it writes into the working directory"


def _same_state(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same_state(a[name], b[name]) for name in a)
    if hasattr(a, "dtype") and not isinstance(a, torch.Tensor):
        return bool((a == b).all())
    return same(a, b)
