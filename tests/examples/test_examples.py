"""Every example says how it is run, is right, is listed, and runs."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import Config, resolve_config
from offline_trainer_core.plan import check_config_tree

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

PUSHT = ("eval.num_envs=1", "eval.video=0", "+eval.max_steps=5")
CHANGES: dict[str, Sequence[str]] = {
    "training/two_processes.yaml": ["run.strategy=single"],
    "training/large_batches.yaml": ["run.compile=false"],
    "datasets/images.yaml": ["data.dataset.samples=128", "data.validation_dataset.samples=8"],
    "g1/flow_state.yaml": ["+algorithm.steps=1"],
    "plugins/swing_up.yaml": ["data.episodes=2", "data.val_episodes=1", "data.folder=recordings"],
    **dict.fromkeys(("pusht/bc.yaml", "pusht/diffusion.yaml", "pusht/flow_matching.yaml"), PUSHT),
    "pusht/image_flow.yaml": [*PUSHT, "data.batch_size=8", "data.validation=0.005"],
}
"""What makes a run of an example shorter still."""


def test_the_table_lists_all_of_them(examples: list[str]) -> None:
    table = re.findall(r"^\| \[(\S+\.yaml)\]\((\S+)\)", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE)
    assert all(shown == link for shown, link in table)
    assert sorted(shown for shown, _ in table) == examples
    assert len(examples) == 25


def test_it_has_no_problem(example: str, registry: Registry) -> None:
    config = resolve_config(EXAMPLES / example, env={})
    assert check_config_tree(config, registry).problems == ()


def test_it_runs(example: str, tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from offline_trainer_core import run

    monkeypatch.setenv("OT_DATA", os.environ.get("OT_DATA", str(ROOT.parent / "shared/data")))
    config = resolve_config(EXAMPLES / example)
    monkeypatch.chdir(tmp_path)
    result = run(EXAMPLES / example, [*shortened(config, recording), *CHANGES.get(example, ()), "run.out_dir=runs"])
    assert (result.status, result.state.global_step) == ("finished", 2)


def test_it_runs_on_two_processes(zygote: Any, tmp_path: Path) -> None:
    command = ["run", str(EXAMPLES / "training/two_processes.yaml"), "--nproc", "2", "+trainer.max_steps=2"]
    done = zygote.run(command, tmp_path, os.environ)
    assert done.returncode == 0, done.stderr
    assert "2 processes" in done.stdout
    assert "finished after 2 steps" in done.stdout


def shortened(config: Config, recording: Path) -> list[str]:
    """Return the overrides that make a run of two steps, on a recording made here where it names one."""
    data, evaluation = config.plain("data"), config.plain("eval")
    overrides = ["+trainer.max_steps=2", "+run.device=cpu"]
    for key in ("path", "data"):
        source = str(data.get(key, ""))
        if source.startswith("examples/"):
            overrides += [f"data.{key}={recording}", "data.batch_size=16"]
        elif source and not Path(source).exists():
            pytest.skip(f"{source} is absent; set OT_DATA to the folder of the real data")
    if evaluation is not None and "episodes" in evaluation:
        overrides.append("~eval" if find_spec("gymnasium") is None else "eval.episodes=1")
    return overrides


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small recording of a pendulum, as `ot record` writes it."""
    np = pytest.importorskip("numpy")
    random, rows = np.random.default_rng(0), 60
    observations = random.standard_normal((2, rows, 3)).astype(np.float32)
    file = tmp_path_factory.mktemp("recordings") / "pendulum.npz"
    np.savez(
        file,
        observation=observations[0],
        next_observation=observations[1],
        action=random.uniform(-2, 2, (rows, 1)).astype(np.float32),
        reward=random.standard_normal(rows).astype(np.float32),
        terminated=np.zeros(rows, dtype=bool),
        truncated=np.zeros(rows, dtype=bool),
        episode_ends=np.array([20, 40, 60]),
    )
    return file
