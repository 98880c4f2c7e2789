from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from pusht import Campaign, parse_arguments, settle

MakeCampaign = Callable[..., Campaign]
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "pusht.py"
DATA = Path(os.environ.get("OT_DATA", BENCHMARK.parents[2] / "shared" / "data"))


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeCampaign:
    def make(*arguments: str) -> Campaign:
        monkeypatch.setattr(sys, "argv", ["pusht.py", "--out", str(tmp_path), *arguments])
        return Campaign(parse_arguments())

    return make


def write_episodes(folder: Path, step: int, coverage: float) -> None:
    episodes = [{"seed": 0, "success": coverage > 0.95, "coverage_max": coverage}]
    (folder / f"evaluations/{step}").mkdir(parents=True)
    (folder / f"evaluations/{step}/episodes.json").write_text(json.dumps({"episodes": {"policy": episodes}}))


def test_checkpoints_lie_at_equal_distances_and_the_last_is_the_end(campaign: MakeCampaign) -> None:
    assert campaign("--steps", "1000", "--checkpoints", "4").steps == [250, 500, 750, 1000]


def test_scores_are_found_in_runs_and_in_what_was_evaluated_afterwards(campaign: MakeCampaign, tmp_path: Path) -> None:
    made = campaign("--steps", "20", "--checkpoints", "2", "--seeds", "0", "1", "--algorithms", "bc", "diffusion")
    write_episodes(tmp_path / "bc-0/eval/step_00000010", 10, coverage=0.25)
    write_episodes(tmp_path / "bc-0", 20, coverage=0.5)
    write_episodes(tmp_path / "bc-1", 20, coverage=0.75)
    curves = made.curves()
    assert {name: list(curve) for name, curve in curves.items()} == {"bc": [10, 20]}
    assert curves["bc"][10]["coverage_by_seed"] == [0.25]
    assert curves["bc"][20]["coverage_by_seed"] == [0.5, 0.75]


def test_only_what_is_missing_is_done(campaign: MakeCampaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = campaign("--steps", "20", "--checkpoints", "2", "--seeds", "0", "1", "--algorithms", "bc", "--jobs", "1")
    write_episodes(tmp_path / "bc-0", 20, coverage=0.5)
    for step in (10, 20):
        (tmp_path / f"bc-0/checkpoints/step_{step:08d}").mkdir(parents=True)
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(made, "_ot", lambda trial, done, *arguments: asked.append((trial.folder.name, *arguments)))
    made.carry_out()
    (trained, command, _, resume, *_), (evaluated, *evaluation) = asked
    assert (trained, command, resume) == ("bc-1", "run", "--resume")
    assert evaluated == "bc-0"
    assert evaluation == ["eval", str(tmp_path / "bc-0"), "--checkpoint", str(made.trials[0].checkpoint(10))]


def test_a_folder_keeps_to_the_settings_that_it_began_with(campaign: MakeCampaign) -> None:
    settle(campaign("--steps", "20", "--checkpoints", "2", "--seeds", "0"))
    settle(campaign("--steps", "20", "--checkpoints", "2", "--seeds", "0", "1"))
    with pytest.raises(SystemExit, match=r"holds a campaign with steps 20, not 40: choose another --out"):
        settle(campaign("--steps", "40", "--checkpoints", "2"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "10", "--checkpoints", "3"], "3 checkpoints do not divide 10 steps"),
        (["--algorithms", "bc", "dagger"], "has no dagger.yaml"),
    ],
)
def test_what_cannot_be_is_said(
    campaign: MakeCampaign, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        campaign(*arguments)
    assert message in capsys.readouterr().err


@pytest.mark.torture
@pytest.mark.skipif(find_spec("torch") is None or find_spec("gym_pusht") is None, reason="needs torch and gym-pusht")
@pytest.mark.skipif(not (DATA / "pusht").exists(), reason="needs OT_DATA, the folder of the real data")
def test_a_campaign_that_is_stopped_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    size = ("--algorithms", "bc", "--seeds", "0", "--steps", "600", "--checkpoints", "3", "--episodes", "2")
    command = [sys.executable, str(BENCHMARK), *size, "--jobs", "1", "--out", str(tmp_path)]
    environment = {**os.environ, "OT_DATA": str(DATA)}
    first = subprocess.Popen(command, env=environment)
    while not (tmp_path / "bc-0/checkpoints/step_00000200").is_dir():
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGTERM)
    assert first.wait() == 128 + signal.SIGTERM
    assert json.loads((tmp_path / "bc-0/status.json").read_text())["status"] == "stopped"

    subprocess.run(command, env=environment, check=True)
    log = (tmp_path / "logs/bc-0.log").read_text()
    assert "resume: exact" in log
    curve = json.loads((tmp_path / "scores.json").read_text())["curves"]["bc"]
    assert {step: score["rollouts"] for step, score in curve.items()} == {"200": 2, "400": 2, "600": 2}

    subprocess.run(command, env=environment, check=True)
    assert (tmp_path / "logs/bc-0.log").read_text() == log
