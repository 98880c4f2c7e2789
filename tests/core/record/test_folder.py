"""A run folder is made once, and says what was run."""

import json

import pytest

from offline_trainer_core.errors import UsageError
from offline_trainer_core.record import RunFolder, RunStatus


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def finished(tmp_path):
    """A run that has ended, in `tmp_path/runs/bc`."""
    run = RunFolder.create(tmp_path / "runs", "bc")
    run.set_status("finished", 100, "reached max_steps")
    return run


def test_a_fresh_folder_lies_below_out_dir(tmp_path):
    run = RunFolder.create(tmp_path / "deep" / "runs", "bc_seed=3")
    assert run.dir == tmp_path / "deep" / "runs" / "bc_seed=3"
    assert run.dir.is_dir()
    assert run.status is None


def test_a_run_is_never_overwritten_and_three_ways_on_are_named(tmp_path, finished):
    before = contents(finished.dir)
    with pytest.raises(UsageError, match="finished at step 100") as caught:
        RunFolder.create(tmp_path / "runs", "bc")
    assert all(way in str(caught.value) for way in ("--resume", "run.name=", "--overwrite", "bc.replaced-1"))
    assert contents(finished.dir) == before


def test_resume_opens_the_run(tmp_path, finished):
    assert RunFolder.create(tmp_path / "runs", "bc", resume=True).status == finished.status


def test_resume_of_a_run_that_never_began_begins_it(tmp_path):
    assert RunFolder.create(tmp_path, "bc", resume=True).dir.is_dir()


def test_overwrite_moves_the_old_runs_aside(tmp_path, finished):
    for count in (1, 2):
        old = contents(tmp_path / "runs" / "bc")
        run = RunFolder.create(tmp_path / "runs", "bc", overwrite=True)
        assert contents(run.dir) == {}
        assert contents(tmp_path / "runs" / f"bc.replaced-{count}") == old
        run.set_status("failed", count)


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_a_run_that_ended_before_its_first_step_is_tried_again_and_one_with_a_step_is_not(tmp_path, status):
    folder = RunFolder.create(tmp_path, "a")
    folder.set_status(status, 0)
    RunFolder.create(tmp_path, "a")
    folder.set_status(status, 1)
    with pytest.raises(UsageError, match="holds a run already"):
        RunFolder.create(tmp_path, "a")


def test_resume_and_overwrite_exclude_each_other(tmp_path):
    with pytest.raises(UsageError, match="choose"):
        RunFolder.create(tmp_path, "bc", resume=True, overwrite=True)


def test_an_empty_folder_is_no_run(tmp_path):
    (tmp_path / "bc").mkdir()
    RunFolder.create(tmp_path, "bc")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../bc", "a/b", "/etc", ".hidden", "a\\b", "a\nb", "a\0b", "x" * 201, "a."]
)
def test_a_name_cannot_leave_out_dir(tmp_path, name):
    with pytest.raises(UsageError, match=r"run\.name"):
        RunFolder.create(tmp_path / "runs", name)
    assert not (tmp_path / "runs").exists()


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "bc").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is a link"):
        RunFolder.create(tmp_path, "bc", resume=True)


def test_a_file_in_the_place_of_a_folder_is_said(tmp_path):
    (tmp_path / "bc").write_text("")
    with pytest.raises(UsageError, match="a file of this name"):
        RunFolder.create(tmp_path, "bc")
    with pytest.raises(UsageError, match="cannot be created"):
        RunFolder.create(tmp_path / "bc", "run")


def test_the_status_says_step_and_reason(finished):
    assert finished.status == RunStatus("finished", 100, "reached max_steps", finished.status.time)
    finished.set_status("stopped", 50, "SIGTERM")
    assert json.loads((finished.dir / "status.json").read_text())["status"] == "stopped"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"unknown": 1}'])
def test_a_status_that_cannot_be_read_is_none(finished, content):
    (finished.dir / "status.json").write_text(content)
    assert finished.status is None


def test_sources_lie_to_each_other_as_they_did(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = RunFolder.create("runs", "bc")
    sources = {"configs/exp/bc.yaml": "a", "configs/base.yaml": "b", str(tmp_path / "configs/exp/../data/x.yaml"): "c"}
    run.write_config("seed: 0\n", sources=sources, overrides=["run.seed=0", "+x='a\nb'"])
    assert contents(run.dir / "sources") == {"exp/bc.yaml": "a", "base.yaml": "b", "data/x.yaml": "c"}
    assert (run.dir / "config.yaml").read_text() == "seed: 0\n"
    assert json.loads((run.dir / "overrides.json").read_text()) == ["run.seed=0", "+x='a\nb'"]


@pytest.mark.parametrize("path", ["../../escape.yaml", "/etc/x.yaml", "a/../../b/../../x.yaml"])
def test_no_source_leaves_its_folder(tmp_path, path):
    run = RunFolder.create(tmp_path, "bc")
    before = {place for place in tmp_path.rglob("*") if run.dir not in place.parents}
    run.write_config("", sources={path: "x", "exp.yaml": "y"})
    assert {place for place in tmp_path.rglob("*") if run.dir not in place.parents} == before
    assert sorted(contents(run.dir / "sources").values()) == ["x", "y"]


def test_a_config_without_files_has_no_sources(tmp_path):
    run = RunFolder.create(tmp_path, "bc")
    run.write_config("seed: 0\n", sources={})
    assert names_in(run.dir) == ["config.yaml", "overrides.json"]


def test_plan_and_environment_are_plain_json(tmp_path):
    run = RunFolder.create(tmp_path, "bc")
    run.write_plan({"loss": {"distribution": "ot-myteam"}})
    run.write_environment({"python": {"version": "3.11"}})
    assert json.loads((run.dir / "plan.json").read_text()) == {"loss": {"distribution": "ot-myteam"}}
    assert json.loads((run.dir / "environment.json").read_text()) == {"python": {"version": "3.11"}}


def test_checkpoints_lie_in_the_folder(tmp_path):
    run = RunFolder.create(tmp_path, "bc")
    run.checkpoints.save("step_1", {"counters": {"epoch": 1}}, counters={})
    assert names_in(run.dir) == ["checkpoints"]
    assert run.checkpoints is run.checkpoints
