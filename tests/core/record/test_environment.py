"""The environment of a run says enough to see what differs."""

import json
import os
import platform
import subprocess

import pytest
import torch

from offline_trainer_core.record import describe_environment


def git(directory, *arguments):
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    run = subprocess.run(
        ["git", *arguments], cwd=directory, env={**os.environ, **identity}, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "train.py").write_text("lr = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "begin")
    return tmp_path


def test_it_names_python_torch_and_the_distributions(tmp_path):
    environment = describe_environment({"ot-builtins": "0.1.0"}, tmp_path)
    assert environment["python"]["version"] == platform.python_version()
    assert environment["torch"]["version"] == torch.__version__
    assert environment["distributions"] == {"ot-builtins": "0.1.0"}
    assert json.loads(json.dumps(environment)) == environment


def test_outside_of_a_repository_there_is_no_commit(tmp_path):
    assert describe_environment({}, tmp_path)["git"] is None


def test_a_clean_repository_has_a_commit_alone(repository):
    state = describe_environment({}, repository)["git"]
    assert state["commit"] == git(repository, "rev-parse", "HEAD")
    assert (state["dirty"], state["diff"], state["untracked"]) == (False, "", [])


def test_a_dirty_repository_comes_with_what_restores_it(repository):
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "new.py").write_text("")
    state = describe_environment({}, repository)["git"]
    assert (state["dirty"], state["untracked"]) == (True, ["new.py"])
    git(repository, "checkout", "-q", "train.py")
    subprocess.run(["git", "apply", "-"], cwd=repository, input=state["diff"], text=True, check=True)
    assert (repository / "train.py").read_text() == "lr = 2\n"


def test_a_long_change_is_cut_and_it_is_said(repository):
    (repository / "train.py").write_text("x" * 2_000_000)
    state = describe_environment({}, repository)["git"]
    assert state["diff_complete"] is False
    assert len(state["diff"]) == 1 << 20


def test_programs_that_a_repository_names_are_not_run(repository):
    for key in ("diff.external", "core.fsmonitor", "diff.trap.textconv"):
        git(repository, "config", key, f"touch {repository}/ran; true")
    (repository / ".gitattributes").write_text("*.py diff=trap\n")
    (repository / "train.py").write_text("lr = 2\n")
    describe_environment({}, repository)
    assert not (repository / "ran").exists()
    git(repository, "diff", "HEAD")
    assert (repository / "ran").exists()
