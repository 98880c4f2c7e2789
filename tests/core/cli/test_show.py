"""`ot show` prints the configuration as it resolves."""

from __future__ import annotations

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
