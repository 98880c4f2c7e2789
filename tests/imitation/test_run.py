"""The README's configuration: several components, one frozen, an optimizer each; checked, trained and resumed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from offline_trainer_core import DataError, RunResult, check_config, run

README = Path(__file__).parents[2] / "packages/ot-imitation/README.md"
(CONFIG,) = re.findall(r"```yaml\n(.*?)\n```", README.read_text(encoding="utf-8"), re.DOTALL)
SMALL = ["trainer.log_every_n_steps=1", "+run.device=cpu", "data.batch_size=16", "callbacks[1].every_n_steps=3"]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of the README, beside demonstrations of the shapes that it expects."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    np.savez(
        "demonstrations.npz",
        observation=random.normal(5.0, 3.0, (300, 4)).astype(np.float32),
        goal=random.normal(size=(300, 3)).astype(np.float32),
        action=random.uniform(-2, 2, (300, 2)).astype(np.float32),
        episode_ends=np.arange(20, 301, 20),
    )
    file = tmp_path / "flow.yaml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


@pytest.fixture
def train(config: Path) -> Callable[..., RunResult]:
    """Return a function that trains for some steps and saves every third."""

    def start(name: str, steps: int, *overrides: str, **options: Any) -> RunResult:
        return run(config, [*SMALL, f"run.name={name}", f"trainer.max_steps={steps}", *overrides], **options)

    return start


def weights(result: RunResult, step: str = "") -> dict[str, torch.Tensor]:
    """Return every tensor of a checkpoint of the run, the last one by default."""
    folder = sorted((result.dir / "checkpoints").glob(f"step_*{step}"))[-1]
    return {f"{file.name}:{name}": t for file in folder.glob("*.safetensors") for name, t in load_file(file).items()}


def problems(config: Path, *overrides: str) -> list[tuple[str, str]]:
    return [(problem.code, problem.config_path) for problem in check_config(config, list(overrides)).problems]


def test_the_readmes_configuration_is_sound(config: Path) -> None:
    assert problems(config) == []


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("algorithm.network=decodr", ("unknown-model-component", "algorithm.network")),
        ("algorithm.context.goal.model=eyes", ("unknown-model-component", "algorithm.context.goal.model")),
        ("algorithm.context.context.inputs.state=obs", ("unknown-field", "algorithm.context.context.inputs.state")),
        ("algorithm.context.context.inputs.goal=$gaol", ("unknown-value", "algorithm.context.context.inputs.goal")),
        ("+algorithm.context.goal.inputs={aim: goal}", ("model-inputs", "algorithm.context.goal.inputs.aim")),
        ("~algorithm.context.context.inputs.state", ("model-inputs", "algorithm.context.context")),
        ("+algorithm.context.more=goal", ("model-inputs", "algorithm.context.more")),
        ("+algorithm.action_field=actions", ("unknown-field", "algorithm.action_field")),
        ("+algorithm.step=3", ("unknown-argument", "algorithm.step")),
        ("+algorithm.integration=heun", ("wrong-type", "algorithm.integration")),
        ("+callbacks[1].monitor=mae", ("unknown-metric", "callbacks[1].monitor")),
    ],
)
def test_the_check_finds_it_before_anything_is_built(config: Path, override: str, expected: tuple[str, str]) -> None:
    assert problems(config, override) == [expected]


@pytest.mark.parametrize("algorithm", ["algo.flow_matching", "algo.diffusion"])
def test_it_trains_validates_and_keeps_what_is_frozen(train: Any, algorithm: str) -> None:
    result = train("whole", 6, f"algorithm._type_={algorithm}")
    assert (result.status, result.state.global_step) == ("finished", 6)
    assert {"train/loss", "val/loss", "val/action_error"} <= result.metrics.keys()
    before, after = weights(result, "3"), weights(result, "6")
    moved = {name for name, tensor in after.items() if not torch.equal(before[name], tensor)}
    frozen = {name for name in after if "features" in name}
    assert frozen
    assert not moved & frozen
    assert any("encoder" in name for name in moved)
    assert any("decoder" in name for name in moved)


def test_a_run_in_two_parts_ends_as_one_in_one(train: Any) -> None:
    whole = weights(train("whole", 6))
    train("parts", 3)
    parts = weights(train("parts", 6, resume="auto"))
    assert parts.keys() == whole.keys()
    assert all(torch.equal(parts[name], tensor) for name, tensor in whole.items())
    other = weights(train("other", 6, "run.seed=1"))
    assert not all(torch.equal(other[name], tensor) for name, tensor in whole.items())


def test_a_chunk_of_another_length_is_said(train: Any) -> None:
    with pytest.raises(DataError, match=r"action_shape is \[8, 2\], and 'action' of a batch is \[12, 2\]"):
        train("wrong", 3, "data.chunk=12")
