"""`ot schema` prints the schema, writes it into a file, and says why it cannot."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from offline_trainer_core.cli.group import ot


def test_it_is_printed() -> None:
    done = CliRunner().invoke(ot, ["schema"])
    assert done.exit_code == 0
    assert json.loads(done.output)["title"] == "Offline Trainer"


def test_it_is_written_into_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ot.schema.json"
    done = CliRunner().invoke(ot, ["schema", "-o", str(file)])
    assert (done.exit_code, done.output) == (0, "")
    assert json.loads(file.read_text(encoding="utf-8")) == json.loads(CliRunner().invoke(ot, ["schema"]).output)


def test_one_section_may_be_asked_for() -> None:
    done = CliRunner().invoke(ot, ["schema", "--section", "optimizer"])
    assert json.loads(done.output)["title"] == "Offline Trainer: optimizer"
    assert CliRunner().invoke(ot, ["schema", "--section", "optimiser"]).exit_code == 2


def test_a_file_that_cannot_be_written_is_one_message(tmp_path: Path) -> None:
    done = CliRunner().invoke(ot, ["schema", "-o", str(tmp_path / "missing" / "ot.schema.json")])
    assert done.exit_code != 0
    assert "cannot write" in done.output
    assert "Traceback" not in done.output
