"""Every malicious text ends in one report: nothing of it is run, imported, connected to, or written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from malicious import MALICIOUS, write_malicious
from trial import STYLES, Trial, faults

ACCEPTED = {
    "integer-too-large-for-a-float",
    "import-trap",
    "resume-from-device",
    "target-allowed",
}
"""In these nothing is wrong that a check could know of; what matters is that it does none of it."""
SECRET = "hunter2hunter2"


def audit(folder: Path, files: list[str], *options: str) -> dict[str, list[dict]]:
    report = folder / "report.json"
    tests = str(Path(__file__).parent)
    path = os.pathsep.join(filter(None, [tests, os.environ.get("PYTHONPATH")]))
    subprocess.run(
        [sys.executable, "-B", Path(__file__).with_name("audited.py"), report, *options, *files],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OT_SECRET_TOKEN": SECRET, "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=600,
    )
    return json.loads(report.read_text())


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("malicious")
    checked = audit(folder, [file.name for file in write_malicious(folder)])
    assert not (folder / "sprung").exists()
    return checked


@pytest.mark.parametrize("name", MALICIOUS)
def test_a_malicious_text_ends_in_a_report_and_nothing_else(reports, name):
    for style, seen in zip(STYLES, reports[f"{name}.yaml"], strict=True):
        assert seen["events"] == []
        assert seen["code"] == (0 if name in ACCEPTED else 2), seen["screen"]
        assert faults(Trial(seen["code"], seen["screen"], 0.0, style)) == []
        assert SECRET not in seen["screen"]
        assert "root:" not in seen["screen"], "a line of /etc/passwd"


def test_the_corpus_is_large():
    assert len(MALICIOUS) >= 60


def test_the_hook_sees_code_that_runs_and_files_that_are_written(tmp_path):
    """With `--deep` the configuration that may import the trap does so."""
    write_malicious(tmp_path)
    seen = audit(tmp_path, ["import-trap.yaml"], "--deep")["import-trap.yaml"][0]
    assert (tmp_path / "sprung").exists()
    assert any(event.startswith("exec ") and "trap.py" in event for event in seen["events"])
    assert any(event.startswith("open ('sprung'") for event in seen["events"])
