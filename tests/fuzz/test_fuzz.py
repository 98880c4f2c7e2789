"""The short form of `run.py`: some thousand inputs by chance, and what the strategies and the harness promise."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import Written, invalid_configurations, valid_configurations
from targets import TARGETS, try_written
from trial import Trial, check, faults, one_registry

from offline_trainer_core.config import resolve_config


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(written: Written) -> None:
    for name, text in written.files.items():
        Path(name).write_text(text, encoding="utf-8")


once = settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "inputs"), [("mutated", 3000), pytest.param("mutated", 8000, marks=pytest.mark.torture), ("config", 150)]
)
def test_no_input_ends_in_anything_but_a_report(target, inputs):
    chance = random.Random(0)
    with one_registry():
        for _ in range(inputs):
            data = chance.randbytes(4096 if target == "config" else 16)
            found = [fault for fault in TARGETS[target](data) if fault[0] != "slow"]  # a machine in a test is busy
            assert not found, (Path("exp.yaml").read_bytes(), found)


@once
@given(valid_configurations())
def test_however_an_experiment_is_written_it_means_the_same(written):
    write(written)
    resolved = resolve_config("exp.yaml", written.overrides, env=written.env).plain()
    assert {key: value for key, value in resolved.items() if key != "params"} == written.means


@once
@given(valid_configurations())
def test_the_experiments_of_the_strategies_are_right(written):
    with one_registry():
        assert not [fault for fault in try_written(written) if fault[0] != "slow"]


@once
@given(invalid_configurations())
def test_a_mistake_that_is_surely_one_is_refused(written):
    with one_registry():
        assert not [fault for fault in try_written(written) if fault[0] != "slow"]


@pytest.mark.parametrize(
    ("trial", "right", "fault"),
    [
        (Trial(1, "Traceback (most recent call last):", 0.0), None, "traceback"),
        (Trial(0, "KeyError", 0.0), False, "accepted"),
        (Trial(2, "error[x]: y", 0.0), True, "refused"),
        (Trial(2, "", 0.0), None, "silent"),
        (Trial(2, "error: 'a b' is not a path", 0.0), None, "unlocated"),
        (Trial(2, "error[x]: \x1b[31m", 0.0), None, "raw-characters"),
        (Trial(2, "error[x]: a\n  ::set-output name=a::b", 0.0), None, "command-of-a-log"),
        (Trial(2, "error[x]: y", 1.5), None, "slow"),
    ],
)
def test_each_kind_of_fault_is_seen(trial, right, fault):
    assert faults(trial, right=right) == [fault]


def test_a_good_report_is_no_fault():
    Path("exp.yaml").write_text("run: [1\n")
    assert faults(check("exp.yaml"), right=False) == []


def test_an_input_that_kills_the_process_is_kept(tmp_path):
    """The driver is run on a core whose parser crashes the process for one text."""
    killer = tmp_path / "sitecustomize.py"
    killer.write_text(
        "import os, sys\n"
        "def die(event, args):\n"
        "    if event == 'open' and str(args[0]) == 'exp.yaml' and args[1] == 'r': os.kill(os.getpid(), 11)\n"
        "if 'worker.py' in ' '.join(sys.orig_argv): sys.addaudithook(die)\n"
    )
    run = Path(__file__).with_name("run.py")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, run, "--inputs", "20", "--processes", "1", "--findings", "found"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    kept = sorted(Path("found").iterdir())
    assert kept
    assert all(folder.name.startswith("crash--11") for folder in kept)
    assert "Segmentation fault" in (kept[0] / "log.txt").read_text()
    assert (kept[0] / "exp.yaml").exists()
