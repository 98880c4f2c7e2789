"""The contract of `algo.*`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from offline_trainer_core.engine import Session
from offline_trainer_core.nest import map_leaves
from offline_trainer_core.testing.contract import Contract, same
from offline_trainer_core.testing.host import no_host_reads
from offline_trainer_core.testing.small_run import FusedAdam, Journal, SmallData, small_parts, train

__all__ = ["AlgorithmContract"]


class AlgorithmContract(Contract):
    """An update trains, leaves its values on the device, and goes on from a checkpoint as if nothing had happened.

    The checks train in a real session: one optimizer (Adam) for each model, four batches an epoch.
    """

    falls: ClassVar[str] = "loss"
    """The logged value that training lowers."""
    epochs: ClassVar[int] = 15
    learning_rate: ClassVar[float] = 0.01

    def models(self) -> dict[str, nn.Module]:
        """Return small models by name."""
        raise NotImplementedError(f"{type(self).__name__} must define models()")

    def batch(self, index: int) -> Any:
        """Return the fixed batch number `index`, 0 to 3, as the algorithm receives it."""
        raise NotImplementedError(f"{type(self).__name__} must define batch(index)")

    def parts(self) -> dict[str, Any]:
        """Return the other parts that the algorithm asks for, such as `io` and `loss`."""
        return {}

    def observation(self) -> Any:
        """Return what the policy is to act on; a batch, unless you say otherwise."""
        return self.batch(0)

    def run(self, folder: Path, **options: Any) -> tuple[Session, Any]:
        """Train in `folder`; return the session and the state of models and algorithm."""
        torch.manual_seed(0)
        models, algorithm = self.models(), self.make()
        adam = FusedAdam(self.learning_rate)
        changes = {
            "models": models,
            "algorithm": algorithm,
            "datamodule": SmallData([self.batch(index) for index in range(4)]),
            "optimizer_factory": dict.fromkeys(models, adam) if len(models) > 1 else adam,
            "loggers": {"journal": options.pop("journal", Journal())},
            **self.parts(),
        }
        session = train(small_parts(folder, resume_from=options.pop("resume_from", None), **changes), **options)
        states = {name: model.state_dict() for name, model in models.items()}
        own = algorithm.state_dict() if hasattr(algorithm, "state_dict") else {}
        return session, map_leaves(_copied, {"models": states, "algorithm": dict(own)})

    def test_training_lowers_what_it_should(self, tmp_path: Path) -> None:
        journal = Journal()
        self.run(tmp_path, steps=4 * self.epochs, journal=journal)
        values = [logs[self.falls] for _, stage, logs in journal.rows if stage == "train" and self.falls in logs]
        assert values, f"update() logs no '{self.falls}': set `falls` to what training lowers"
        assert values[-1] < values[0], f"'{self.falls}' went from {values[0]:.4g} to {values[-1]:.4g}"

    def test_an_update_reads_nothing_back_from_the_device(self, tmp_path: Path) -> None:
        self.run(tmp_path, steps=5, around_step=no_host_reads)

    def test_a_batch_is_left_as_it_was(self, tmp_path: Path) -> None:
        session, _ = self.run(tmp_path, steps=4)
        left = list(session.context.datamodule.train_dataloader())
        fresh = [self.batch(index) for index in range(4)]
        assert all(any(same(batch, other) for other in fresh) for batch in left), "update() writes into its batch"

    def test_a_run_in_two_parts_ends_as_one_in_one(self, tmp_path: Path) -> None:
        _, whole = self.run(tmp_path / "whole", steps=7)
        self.run(tmp_path / "parts", steps=7, stop_at=3)
        _, resumed = self.run(tmp_path / "parts", steps=7, resume_from="auto")
        assert same(resumed, whole), "something that training depends on is not in state_dict()"

    def test_validation_repeats_itself_and_changes_nothing(self, tmp_path: Path) -> None:
        session, before = self.run(tmp_path, steps=4)
        if not hasattr(session.context.algorithm, "validate"):
            pytest.skip("it has no validate()")
        torch.manual_seed(1)
        first = session.validate()
        torch.manual_seed(2)
        assert session.validate() == first, "validate() gives another result when it is repeated"
        after = {name: model.state_dict() for name, model in session.context.models.items()}
        assert same(after, before["models"]), "validate() changes the models"

    def test_its_policy_acts(self, tmp_path: Path) -> None:
        session, _ = self.run(tmp_path, steps=1)
        if not hasattr(session.context.algorithm, "act"):
            pytest.skip("it has no act()")
        observation = self.observation()
        actions = session.context.policy().act(observation)
        count = len(next(iter(observation.values())))
        assert len(actions) == count, f"{count} observations, {len(actions)} actions"
        assert bool(actions.isfinite().all())


def _copied(leaf: Any) -> Any:
    return leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf
