"""`ot show` prints the configuration as it resolves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

BASE = """
params: {rate: 0.1, widths: [64, 32]}
run:
  name: base
  api_key: abc-123
"""
STUDY = """
schema_version: 1
defaults: [base.yaml]
templates:
  small: {width: 8}
run:
  name: study
model:
  _template_: small
  rate: ${params.rate}
"""


@pytest.fixture
def study(tmp_path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE)
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


def test_the_resolved_tree_is_yaml(study, ot) -> None:
    from offline_trainer_core import resolve_config

    shown = yaml.safe_load(ot("show", str(study), "run.name=other").stdout)
    expected = resolve_config(study, ["run.name=other"]).plain()
    expected["run"]["api_key"] = shown["run"]["api_key"]
    assert shown == expected
    assert shown["model"] == {"width": 8, "rate": 0.1}


def test_secrets_are_masked(study, ot) -> None:
    assert "abc-123" not in ot("show", str(study)).stdout


def test_origins_are_comments_beside_each_value(study, ot) -> None:
    shown = ot("show", str(study), "params.rate=0.2", "--origin").stdout
    assert yaml.safe_load(shown) == yaml.safe_load(ot("show", str(study), "params.rate=0.2").stdout)
    comments = {line.strip().partition(":")[0].lstrip("- "): line.partition("#")[2] for line in shown.splitlines()}
    assert f"study.yaml:{1 + STUDY.splitlines().index('  name: study')}" in comments["name"]
    assert f"base.yaml:{1 + BASE.splitlines().index('  api_key: abc-123')}" in comments["api_key"]
    assert "template small" in comments["width"]


def test_a_configuration_that_does_not_resolve_is_refused_like_in_check(study, ot) -> None:
    study.write_text("run: ${nowhere.at.all}")
    done = ot("show", str(study))
    assert done.returncode == 2
    assert "nowhere.at.all" in done.stderr
    assert "Traceback" not in done.stderr


def test_origins_are_told_of_every_directive(study, ot, tmp_path) -> None:
    (tmp_path / "items.yaml").write_text("callbacks: [{_type_: cb.one}]\n")
    study.write_text(
        "defaults: [items.yaml]\n"
        "templates: {outer: {_template_: inner, a: 1}, inner: {a: 0, b: 2}}\n"
        "part: {_template_: outer, c: 3}\n"
        "callbacks: {_merge_: append, _value_: [{_type_: cb.two}]}\n"
        "home: ${env:STUDY_HOME}\n"
    )
    shown = ot("show", "study.yaml", "part.c=4", "--origin", env={"STUDY_HOME": "here"}).stdout
    origins = dict(line.strip().removeprefix("- ").split("  # ") for line in shown.splitlines() if "#" in line)
    assert {value.strip(): origin for value, origin in origins.items()} == {
        "a: 1": "study.yaml:2 (template outer)",
        "b: 2": "study.yaml:2 (template inner)",
        "c: 4": "<override 1>",
        "_type_: cb.one": "items.yaml:1",
        "_type_: cb.two": "study.yaml:4",
        "home: here": "study.yaml:5 (interpolation ${env:STUDY_HOME})",
    }


def test_a_part_alone_can_be_shown(study, ot) -> None:
    whole = yaml.safe_load(ot("show", str(study)).stdout)
    assert yaml.safe_load(ot("show", str(study), "--only", "params").stdout) == whole["params"]
    assert ot("show", str(study), "--only", "params.widths[1]").stdout == "32\n"
    assert ot("show", str(study), "--only", "run.api_key").stdout == "'***'\n"
    done = ot("show", str(study), "--only", "params.rat")
    assert done.returncode == 2
    assert "did you mean 'params.rate'" in done.stderr


def test_json_is_the_same_tree(study, ot) -> None:
    assert json.loads(ot("show", str(study), "--format", "json").stdout) == yaml.safe_load(
        ot("show", str(study)).stdout
    )
    assert ot("show", str(study), "--format", "json", "--origin").returncode == 2


def test_the_folder_of_a_run_is_shown_by_what_it_recorded(study, ot, tmp_path) -> None:
    record = tmp_path / "runs" / "one"
    record.mkdir(parents=True)
    (record / "config.yaml").write_text("a: 1\n")
    assert ot("show", str(record), "--origin").stdout == f"a: 1  # {record}/config.yaml:1\n"
