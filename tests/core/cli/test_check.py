"""`ot check` finds everything that is wrong, for people, for programs and for reviews."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

COMPONENTS = """
class Anything:
    def __init__(self, rate: float = 0.1, **others): raise RuntimeError("a check builds nothing")
    def update(self, batch, step): ...
    def fit(self, **parts): ...
"""
GOOD = """
schema_version: 1
run: {name: study, out_dir: runs, strategy: {_type_: strategy.any}, launcher: {_type_: launcher.any}}
model: {_type_: model.any}
data: {_type_: data.any}
algorithm: {_type_: algo.any}
optimizer: {_type_: optim_factory.any}
trainer:
  _type_: trainer.any
  rate: 0.5
"""


@pytest.fixture
def anything(site, tmp_path) -> Path:
    """Components whose constructors raise, and a configuration that is right about them."""
    kinds = ("model", "data", "algo", "optim_factory", "trainer", "strategy", "launcher")
    components = {f"{kind}.any": "anything:Anything" for kind in kinds} | {"trainer.gone": "gone:Trainer"}
    site.add("ot-anything", {"offline_trainer.components": components}, {"anything.py": COMPONENTS})
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_a_right_configuration_passes_layer_by_layer(anything, ot) -> None:
    done = ot("check", anything.name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "failed" not in done.stdout


def test_every_problem_is_shown_at_its_place_with_exit_code_2(anything, ot) -> None:
    anything.write_text(GOOD.replace("trainer.any", "trainer.ayn").replace("data.any", "loss.any"))
    done = ot("check", anything.name)
    assert done.returncode == 2
    assert "did you mean 'trainer.any'?" in done.stdout
    assert f"{anything.name}:9:" in done.stdout
    assert f"{anything.name}:5:" in done.stdout
    assert "2 errors" in done.stdout
    assert "Traceback" not in done.stderr


def test_overrides_take_part(anything, ot) -> None:
    done = ot("check", anything.name, "trainer._type_=trainer.nothing")
    assert done.returncode == 2
    assert "trainer.nothing" in done.stdout


def test_broken_yaml_is_a_problem_like_any_other(anything, ot) -> None:
    anything.write_text("run: {name: [")
    done = ot("check", anything.name)
    assert done.returncode == 2
    assert "failed" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_one_message(ot) -> None:
    done = ot("check", "nowhere.yaml")
    assert done.returncode == 2
    assert "nowhere.yaml" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_json_carries_what_the_text_says(anything, ot) -> None:
    anything.write_text(GOOD.replace("trainer.any", "trainer.ayn"))
    done = ot("check", anything.name, "--format", "json")
    content = json.loads(done.stdout)
    assert done.returncode == 2
    assert content["valid"] is False
    (problem,) = content["problems"]
    assert problem["suggestion"] == "trainer.any"
    assert problem["location"]["line"] == 1 + anything.read_text().splitlines().index("  _type_: trainer.ayn")
    assert problem["message"] in ot("check", anything.name).stdout
    anything.write_text(GOOD)
    assert json.loads(ot("check", anything.name, "--format", "json").stdout)["valid"] is True


def test_json_has_one_stable_form_whatever_failed(anything, ot) -> None:
    fields = {
        *("code", "severity", "message", "config_path", "location", "width", "source_line"),
        *("suggestion", "allowed", "fix", "notes"),
    }
    unreadable = "defaults: [none.yaml]\napi_key: ${env:OT_NOWHERE}\n"
    for text, layers in ((GOOD.replace("trainer.any", "trainer.ayn"), "failed"), (unreadable, "skipped")):
        anything.write_text(text)
        content = json.loads(ot("check", anything.name, "--format", "json").stdout)
        assert set(content) == {"schema_version", "valid", "layers", "problems"}
        assert content["schema_version"] == 1
        assert [layer["name"] for layer in content["layers"]] == ["composition", "names", "signatures", "cross-checks"]
        assert content["layers"][1]["status"] == layers
        assert content["problems"]
        for problem in content["problems"]:
            assert set(problem) == fields
            assert set(problem["location"]) == {"file", "line", "column"}


def test_layers_that_nobody_can_check_are_shown_as_skipped(anything, ot) -> None:
    anything.write_text(GOOD + "defaults: [none.yaml]\n")
    lines = ot("check", anything.name).stdout.splitlines()
    assert sum(line.startswith("skipped  ") and "could not be read" in line for line in lines) == 3


def test_a_value_that_is_not_known_reaches_no_output(anything, ot) -> None:
    anything.write_text(GOOD.replace("rate: 0.5", "rate: ${env:OT_NOWHERE}\n  name: [{a: '${params.no}'}]"))
    for style in ("text", "json", "github"):
        done = ot("check", anything.name, "--format", style)
        assert "UNKNOWN" not in done.stdout + done.stderr
        assert "OT_NOWHERE is not set" in done.stdout
        assert "Traceback" not in done.stderr
    deep = ot("check", anything.name, "--deep")
    assert "2 errors" in deep.stdout


def test_github_gets_one_command_for_each_problem(anything, ot) -> None:
    anything.write_text(GOOD.replace("trainer.any", "trainer.ayn"))
    lines = ot("check", anything.name, "--format", "github").stdout.splitlines()
    (line,) = [line for line in lines if line.startswith("::error ")]
    assert f"file={anything.name},line=9,col=" in line
    assert "%0A" in line


def test_deep_imports_the_components_and_says_which_cannot_be(anything, ot) -> None:
    anything.write_text(GOOD.replace("trainer.any", "trainer.gone").replace("  rate: 0.5\n", ""))
    shallow, deep = ot("check", anything.name), ot("check", anything.name, "--deep")
    assert "trainer.gone of ot-anything 1.0 (gone:Trainer) cannot be imported" not in shallow.stdout
    assert "trainer.gone of ot-anything 1.0 (gone:Trainer) cannot be imported" in deep.stdout
    assert deep.returncode == 2


def test_what_fails_at_an_import_is_said_without_secrets(anything, ot, site) -> None:
    telling = "import os\nraise RuntimeError('no store with ' + os.environ['STORE_TOKEN'])\n"
    site.add("telling", {"offline_trainer.components": {"trainer.telling": "telling:Trainer"}}, {"telling.py": telling})
    anything.write_text(GOOD.replace("trainer.any", "trainer.telling").replace("  rate: 0.5\n", ""))
    for style in ("text", "json", "github"):
        done = ot("check", anything.name, "--deep", "--format", style, env={"STORE_TOKEN": "canary-of-an-import"})
        assert done.returncode == 2
        assert "no store with ***" in done.stdout
        assert "canary-of-an-import" not in done.stdout + done.stderr


TOKEN = "hf_thisIsNoTokenButItHasTheShapeOfOneYes"
DIGEST = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("value", "is_warned_of"),
    [
        (TOKEN, True),
        ("ftp://ada:pass-word@host/data", True),
        ("${env:SOME_TOKEN}", False),
        ("${env:SOME_TOKEN,none}", False),
        ("ftp://ada:${env:SOME_TOKEN}@host/data", False),
        ("ftp://host/data", False),
        (DIGEST, False),
        ("/data/hf_cache/models--policy--thisIsALongNameOfAFolder/snapshots", False),
    ],
)
def test_a_secret_that_is_written_out_is_warned_of_and_not_shown(anything, ot, value, is_warned_of) -> None:
    anything.write_text(GOOD + f'x-hub: {{place: "{value}"}}\n')
    done = ot("check", anything.name, env={"SOME_TOKEN": TOKEN})
    assert done.returncode == 0, done.stdout
    assert ("warning[written-secret]" in done.stdout) is is_warned_of
    assert TOKEN not in done.stdout
    assert "pass-word" not in done.stdout


@pytest.mark.parametrize(
    ("override", "listed", "setting"),
    [
        ("+settings={allowed_distributions: [ot-anything]}", None, "settings.allowed_distributions"),
        ("run.name=study", "ot-anything", "OT_ALLOWED_DISTRIBUTIONS"),
    ],
)
def test_what_is_not_allowed_is_named_and_never_imported(anything, ot, site, override, listed, setting) -> None:
    groups = ("components", "readers", "schemas")
    points = {f"offline_trainer.{group}": {"trainer.shady": f"shady:{group}"} for group in groups}
    trap = "import pathlib\npathlib.Path('sprung').touch()\n"
    site.add("shady", {**points, "offline_trainer.commands": {"shady": "shady:command"}}, {"shady.py": trap})
    environment = {"OT_ALLOWED_DISTRIBUTIONS": listed} if listed else {}
    done = ot("check", anything.name, override, "trainer._type_=trainer.shady", env=environment)
    assert f"[distribution-not-allowed]: 'trainer.shady' comes from shady 1.0, which is not in {setting}" in done.stdout
    assert f"to mend it: add shady to {setting}" in done.stdout
    assert "1 error" in done.stdout
    assert not (anything.parent / "sprung").exists()
    ot("check", anything.name, "trainer._type_=trainer.shady")
    assert (anything.parent / "sprung").exists(), "the reader of a distribution that is allowed is imported"
