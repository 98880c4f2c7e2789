"""The contract of `export.*`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from offline_trainer_core.signature.parts import call_with_parts
from offline_trainer_core.testing.contract import Contract, same
from offline_trainer_core.testing.small_policy import small_inputs, small_policy

__all__ = ["ExporterContract"]


class ExporterContract(Contract):
    """What was written is loaded by another object, and acts as the policy did, with batches of any size."""

    def write(self, folder: Path) -> Any:
        """Let a fresh exporter write a small policy, which samples, into `folder`; return the policy."""
        folder.mkdir(parents=True)
        policy, definition, tensors = small_policy()
        parts = {"policy": policy, "definition": definition, "tensors": tensors}
        call_with_parts(self.make().write, {**parts, "inputs": small_inputs(3), "folder": folder}, "an export")
        return policy

    def load(self, folder: Path) -> Any:
        """Return what a fresh exporter makes of the files in `folder`."""
        return self.make().load(folder=folder, device=torch.device("cpu"))

    def test_it_acts_as_the_policy_with_any_number_of_rows_and_any_order_of_fields(self, tmp_path: Path) -> None:
        self.write(tmp_path / "export")
        act, policy = self.load(tmp_path / "export"), small_policy()[0]
        for count in (1, 3, 64):
            observation, noise = small_inputs(count, seed=count)
            given = {**dict(reversed(observation.items())), "unknown": torch.zeros(count)}
            expected = policy(observation, noise).detach()
            torch.testing.assert_close(act(given, noise), expected, rtol=1e-5, atol=1e-5, msg=_saying(count))

    def test_it_changes_nothing_but_its_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        policy = self.write(tmp_path / "export")
        assert list((tmp_path / "export").iterdir()), "it wrote nothing"
        assert not list(elsewhere.iterdir()), "it wrote into the working directory"
        assert same(policy.state_dict(), small_policy()[0].state_dict()), "the weights of the policy changed"
        assert not any(module.training for module in policy.modules()), "the policy is no longer in eval mode"


def _saying(count: int) -> Callable[[str], str]:
    return lambda text: f"what was loaded acts otherwise with {count} rows: {text}"
