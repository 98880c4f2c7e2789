"""The contract of `cb.*` and of hook plugins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.engine.hooks import Hooks
from offline_trainer_core.testing.contract import Contract, same
from offline_trainer_core.testing.host import no_host_reads
from offline_trainer_core.testing.small_run import Journal, small_parts, train

__all__ = ["CallbackContract"]


class _Evaluation:
    def evaluate(self, policy: Any, *, run: Any, step: int) -> Mapping[str, float]:
        return {"return_mean": float(step)}


class CallbackContract(Contract):
    """A callback's hooks exist, its state survives, and a run with it trains as a run without it.

    The checks train a small network for twelve steps in three epochs, each with a validation (`loss`) and an evaluation
    (`return_mean`). What is made to change training exempts `test_training_is_the_same_with_it`.
    """

    def run(self, folder: Path, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Train with a fresh callback, or with `callback`; return the callback and the final weights."""
        folder.mkdir(parents=True, exist_ok=True)
        callback = options.pop("callback") if "callback" in options else self.make()
        parts = small_parts(
            folder,
            resume_from=options.pop("resume_from", None),
            loggers={"journal": Journal()},
            callbacks={} if callback is None else {"callback": callback},
            evaluations={"walk": _Evaluation()},
        )
        train(parts, steps=12, **options)
        return callback, {name: tensor.clone() for name, tensor in parts["model"].state_dict().items()}

    def test_its_hooks_exist(self) -> None:
        hooks = Hooks({"callback": self.make()})
        assert any(value for name, value in vars(hooks).items() if name != "listeners"), "it listens to nothing"

    def test_a_run_with_it_ends_well(self, tmp_path: Path) -> None:
        _, weights = self.run(tmp_path)
        assert all(bool(tensor.isfinite().all()) for tensor in weights.values())

    def test_training_is_the_same_with_it(self, tmp_path: Path) -> None:
        _, with_it = self.run(tmp_path / "with")
        _, without = self.run(tmp_path / "without", callback=None)
        assert same(with_it, without), "weights differ from those of a run without it"

    def test_a_step_reads_nothing_back_from_the_device(self, tmp_path: Path) -> None:
        self.run(tmp_path, around_step=no_host_reads)

    def test_its_state_survives_a_restart(self, tmp_path: Path) -> None:
        if not hasattr(self.make(), "state_dict"):
            pytest.skip("it has no state")
        whole, _ = self.run(tmp_path / "whole")
        self.run(tmp_path / "parts", stop_at=6)
        resumed, _ = self.run(tmp_path / "parts", resume_from="auto")
        assert same(resumed.state_dict(), whole.state_dict()), "its state differs from that of a run that never stopped"
