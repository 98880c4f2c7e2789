from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from offline_trainer_core import ComponentError, RunResult, check_config, run
from offline_trainer_core.testing import DistributionContract

README = Path(__file__).parents[2] / "packages/ot-offline-rl/README.md"
(CONFIG,) = re.findall(r"```yaml\n(.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)


class TestDistribution(DistributionContract):
    distribution = "ot-offline-rl"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of the README, beside transitions of the shapes that it expects."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    observation, next_observation = random.normal(5.0, 3.0, (2, 2000, 3)).astype(np.float32)
    np.savez(
        "transitions.npz",
        observation=observation,
        action=random.uniform(-2, 2, (2000, 1)).astype(np.float32),
        reward=random.normal(size=2000).astype(np.float32),
        next_observation=next_observation,
        terminated=random.random(2000) < 0.01,
    )
    file = tmp_path / "td3_bc.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


@pytest.fixture
def train(config: Path) -> Callable[..., RunResult]:
    """Return a function that trains for some steps and saves at the end."""

    def start(name: str, steps: int, *overrides: str, **options: Any) -> RunResult:
        changed = [f"run.name={name}", f"trainer.max_steps={steps}", "trainer.log_every_n_steps=1", "+run.device=cpu"]
        return run(config, [*changed, "callbacks[0].every_n_steps=3", *overrides], **options)

    return start


def weights(result: RunResult) -> dict[str, torch.Tensor]:
    """Return every tensor of the run's last checkpoint."""
    last = sorted((result.dir / "checkpoints").glob("step_*"))[-1]
    return {f"{file.name}:{name}": t for file in last.glob("*.safetensors") for name, t in load_file(file).items()}


def test_the_readmes_configuration_is_sound(config: Path) -> None:
    assert [problem.render() for problem in check_config(config).problems] == []


def test_the_readmes_configuration_trains_and_validates(train: Any) -> None:
    result = train("whole", 6)
    assert (result.status, result.state.global_step) == ("finished", 6)
    assert {"train/critic_loss", "train/q"} <= result.metrics.keys()
    assert all(np.isfinite(list(result.metrics.values())))


def test_a_run_in_two_parts_ends_as_one_in_one(train: Any) -> None:
    whole = weights(train("whole", 6))
    train("parts", 3)
    parts = weights(train("parts", 6, resume="auto"))
    assert any("target" in name for name in whole)
    assert parts.keys() == whole.keys()
    assert all(torch.equal(parts[name], tensor) for name, tensor in whole.items())
    other = weights(train("other", 6, "run.seed=1"))
    assert not all(torch.equal(other[name], tensor) for name, tensor in whole.items())


def test_one_optimizer_for_both_is_refused(train: Any) -> None:
    with pytest.raises(ComponentError, match="no optimizer 'critic'; this run has: model"):
        train("one", 3, "~optimizer", "+optimizer={_type_: optim_factory.torch, type: Adam}")
