"""`ot migrate` as it is typed, and older files given to the other commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

OLD = """\
# mine
model: {config_path: model.yaml}
data: {datamodule: {type: random_regression}}   # noise
train:
  loss: {type: torch}
  max_epochs: 1
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "old.yaml"
    file.write_text(OLD)
    return file


def test_the_new_file_is_printed_and_the_report_goes_elsewhere(ot, old: Path) -> None:
    done = ot("migrate", "old.yaml")
    assert done.returncode == 0
    assert done.stdout.startswith("# mine\n")
    assert "data: {_type_: data.random_regression}  # noise\n" in done.stdout
    assert "train.max_epochs -> trainer.max_epochs" in done.stderr
    assert old.read_text() == OLD


def test_in_place_keeps_every_earlier_file(ot, old: Path) -> None:
    printed = ot("migrate", "old.yaml").stdout
    (old.parent / "old.yaml.bak").write_text("precious")
    assert ot("migrate", "--in-place", "old.yaml").returncode == 0
    assert old.read_text() == printed
    assert (old.parent / "old.yaml.bak").read_text() == "precious"
    assert (old.parent / "old.yaml.bak2").read_text() == OLD
    assert "nothing to migrate" in ot("migrate", "--in-place", "old.yaml").stderr


def test_check_fails_until_nothing_would_change(ot, old: Path) -> None:
    assert ot("migrate", "--check", "old.yaml").returncode == 1
    ot("migrate", "--in-place", "old.yaml")
    assert ot("migrate", "--check", "old.yaml").returncode == 0


def test_a_file_of_today_is_printed_as_it_is(ot, old: Path) -> None:
    today = "# mine\nloss:  {_type_: 'loss.torch'}   # as it is\n"
    old.write_text(today)
    assert ot("migrate", "old.yaml").stdout == today


def test_output_goes_where_it_is_asked_to(ot, old: Path) -> None:
    assert ot("migrate", "old.yaml", "-o", "new.yaml").stdout == ""
    assert (old.parent / "new.yaml").read_text() == ot("migrate", "old.yaml").stdout


def test_line_ends_stay(ot, old: Path) -> None:
    old.write_bytes(OLD.replace("\n", "\r\n").encode())
    ot("migrate", "--in-place", "old.yaml")
    new = old.read_bytes()
    assert new.count(b"\r\n") == new.count(b"\n") > 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.yaml"], "there is no file 'missing.yaml'"),
        (["old.yaml", "--in-place", "--check"], "exclude each other"),
        (["old.yaml", "other.yaml", "-o", "new.yaml"], "use --in-place"),
        (["old.yaml", "-o", "no/such/folder.yaml"], "cannot be written"),
        ([], "Missing argument"),
        (["bad.yaml"], "'lss' is not a key of 'train'"),
    ],
)
def test_what_cannot_be_done_is_one_message(ot, old: Path, arguments: list[str], message: str) -> None:
    (old.parent / "other.yaml").write_text(OLD)
    (old.parent / "bad.yaml").write_text(OLD.replace("loss", "lss"))
    before = sorted(path.name for path in old.parent.iterdir())
    done = ot("migrate", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in old.parent.iterdir()) == before


def test_check_says_which_dialect_it_is_and_places_problems_in_the_older_file(ot, old: Path) -> None:
    old.write_text(OLD.replace("max_epochs: 1", "max_epochs: one"))
    done = ot("check", "old.yaml", "--format", "json")
    problems = {problem["code"]: problem for problem in json.loads(done.stdout)["problems"]}
    assert problems["older-dialect"]["severity"] == "warning"
    assert "nested dialect" in problems["older-dialect"]["message"]
    assert problems["older-dialect"]["fix"] == "ot migrate --in-place old.yaml"
    assert (problems["wrong-type"]["location"]["file"], problems["wrong-type"]["location"]["line"]) == ("old.yaml", 6)


def test_check_reports_what_is_wrong_in_the_older_dialect(ot, old: Path) -> None:
    old.write_text(OLD.replace("loss", "lss"))
    done = ot("check", "old.yaml", "--format", "json")
    (problem,) = json.loads(done.stdout)["problems"]
    assert (done.returncode, problem["code"], problem["suggestion"]) == (2, "unknown-key", "loss")


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["show", "old.yaml", "--only", "trainer"], "max_epochs: 1"),
        (["explain", "old.yaml", "trainer.max_epochs"], "1  old.yaml:6:15"),
        (["diff", "old.yaml", "trainer.max_epochs=2"], "+ trainer.max_epochs: 2"),
    ],
)
def test_who_looks_at_an_older_file_sees_its_translation_and_is_told_so(ot, old, command, shown) -> None:
    done = ot(*command)
    assert shown in done.stdout
    assert done.stderr.count("warning[older-dialect]: old.yaml is written in the nested dialect") == 1
    assert done.stderr.count("warning[") == 1
    old.write_text("trainer: {max_epochs: 1}\n")
    assert "older-dialect" not in ot(*command).stderr


def test_a_renamed_name_in_an_older_file_is_refused_with_the_command_that_mends_both(ot, old, site) -> None:
    renames = 'RENAMES = [{"component": "loss.lab.old", "to": "loss.torch", "since": "2.0"}]\n'
    site.add("lab", {"offline_trainer.renames": {"lab": "lab_renames:RENAMES"}}, {"lab_renames.py": renames})
    old.write_text(OLD.replace("type: torch", "type: lab.old"))
    problems = {p["code"]: p for p in json.loads(ot("check", "old.yaml", "--format", "json").stdout)["problems"]}
    assert problems["renamed"]["fix"] == problems["older-dialect"]["fix"] == "ot migrate --in-place old.yaml"
    ot("migrate", "--in-place", "old.yaml")
    assert "_type_: loss.torch" in old.read_text()


def test_a_table_of_renames_that_cannot_be_read_is_said_where_it_could_have_helped(ot, old, site) -> None:
    groups = {
        "offline_trainer.renames": {"lab": "lab:RENAMES"},
        "offline_trainer.components": {"trainer.lab": "lab:Trainer", "trainer.other": "lab:Trainer"},
    }
    trainer = "class Trainer:\n    def __init__(self, rate: float = 0.1): ...\n"
    site.add("lab", groups, {"lab.py": f"RENAMES = make()\n{trainer}"})
    warning = "lab: its renames (lab:RENAMES) cannot be read: a table is a literal list of dicts"
    assert f"warning: {warning}" in ot("plugins").stderr
    assert json.loads(ot("plugins", "--json").stdout)["broken"][0]["distribution"] == "lab"
    old.write_text("schema_version: 1\nrun: {name: a, out_dir: b}\ntrainer: {_type_: trainer.lab, speed: 1}\n")
    (problem,) = notes(ot("check", "old.yaml", "--format", "json"), "unknown-argument")
    assert any(note.startswith(warning) for note in problem)
    old.write_text(old.read_text().replace("trainer.lab, speed", "trainer.default, speed"))
    (problem,) = notes(ot("check", "old.yaml", "--format", "json"), "unknown-argument")
    assert not any("renames" in note for note in problem)


def notes(done, code: str) -> list[list[str]]:
    return [problem["notes"] for problem in json.loads(done.stdout)["problems"] if problem["code"] == code]


def test_a_file_of_today_loads_nothing_of_the_migration(ot, old: Path) -> None:
    script = (
        "import sys\nfrom offline_trainer_core import check_config\n"
        "check_config('today.yaml')\nassert not [n for n in sys.modules if 'core.migrate' in n]\n"
        "check_config('old.yaml')\nassert [n for n in sys.modules if 'core.migrate' in n]\n"
    )
    (old.parent / "today.yaml").write_text("schema_version: 1\nrun: {name: a, out_dir: runs}\n")

    done = subprocess.run([sys.executable, "-c", script], cwd=old.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
