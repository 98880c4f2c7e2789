"""A configuration writes below its `run.out_dir`, or where it says in full, and replaces nothing there."""

from __future__ import annotations

import os

import pytest
import torch  # noqa: F401 - a run needs it
from test_traps import CONFIG

NAMES = (
    "..", ".", "", "../up", "a/b", "/etc", "a\\b", "..\\up", "a\0b", "~", "~root", "-rf", ".hidden", "a/", "a/../../b",
    "CON", "nul", "Aux.txt", "com1", "LPT9.log", "a:b", "a*", 'a"b', "a|b", "a<b", "a ", "a.", "a\nb", "\u202etxt",
    "x" * 201,
)  # fmt: skip
COMPONENTS = {
    "log.csv": "loggers: [{{_type_: log.csv, path: {}}}]",
    "log.jsonl": "loggers: [{{_type_: log.jsonl, path: {}}}]",
    "log.tensorboard": "loggers: [{{_type_: log.tensorboard, dir: {}}}]",
    "cb.model_checkpoint": "callbacks: [{{_type_: cb.model_checkpoint, every_n_steps: 1, save_dir: {}}}]",
    "cb.loss_plot": "callbacks: [{{_type_: cb.loss_plot, path: {}}}]",
    "cb.profiler": "callbacks: [{{_type_: cb.profiler, dir: {}}}]",
}


@pytest.fixture
def project(tmp_path):
    """A folder to work in, with nothing around it but what a run must not touch."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "config.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def ot(project, zygote):
    def ot(*arguments):
        done = zygote.run(arguments, project, {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "300"})
        return done.returncode, done.stdout + done.stderr

    return ot


def around(project):
    """Return what lies beside the folder in which the command was typed."""
    return sorted(path.name for path in project.parent.iterdir())


def test_no_name_of_a_run_leads_out_of_its_folder(project, tmp_path):
    from offline_trainer_core import UsageError, check_config, resolve_config
    from offline_trainer_core.record import RunFolder

    for name in NAMES:
        config = resolve_config(project / "config.yaml", []).plain() | {"run": {"name": name, "out_dir": "runs"}}
        assert check_config(config).errors, name
        with pytest.raises((UsageError, ValueError)):
            RunFolder.create(tmp_path / "out", name)
    assert not (tmp_path / "out").exists()
    assert not check_config(resolve_config(project / "config.yaml", ["run.name=a-b_c.1"]).plain()).errors, "the control"


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("path", ["../../../out", "a/../../../../out", "link/out"])
def test_no_component_writes_out_of_the_run_folder(project, ot, component, path):
    pytest.importorskip("matplotlib")
    run = project / "runs" / "demo"
    (project / "config.yaml").write_text(CONFIG + COMPONENTS[component].format(path))
    if path.startswith("link"):
        run.mkdir(parents=True)
        (run / "link").symlink_to(project.parent)
        (run / "status.json").write_text('{"status": "failed", "step": 0}')
    code, text = ot("run", "config.yaml")
    assert code == 3, text
    assert "leads out of the run folder" in text
    assert around(project) == ["project"]


def test_a_run_folder_that_is_a_link_is_refused(project, ot):
    (project / "runs").mkdir()
    (project / "runs" / "demo").symlink_to(project.parent)
    code, text = ot("run", "config.yaml")
    assert (code, "is a link and would leave run.out_dir" in text) == (2, True)
    assert around(project) == ["project"]


@pytest.mark.parametrize("logger", ["log.csv", "log.jsonl"])
def test_a_file_elsewhere_is_never_replaced_by_a_run_that_begins(project, ot, logger):
    precious = project.parent / "precious"
    precious.write_text("mine")
    (project / "config.yaml").write_text(CONFIG + COMPONENTS[logger].format(precious))
    code, text = ot("run", "config.yaml")
    assert (code, "exists already" in text) == (3, True), text
    assert precious.read_text() == "mine"
    precious.unlink()
    assert ot("run", "config.yaml")[0] == 0
    assert ot("run", "config.yaml", "--resume", "trainer.max_epochs=2", "--accept-changes")[0] == 0


@pytest.mark.parametrize(
    "reference", ["/etc/passwd", "/dev/zero", "/proc/self/environ", "fifo", "../secret.txt", ".", "https://host/a.yaml"]
)
@pytest.mark.parametrize("form", ["defaults: [{}]\n", "model: {{config_path: {}}}\n"])
def test_what_is_included_is_a_regular_file_of_yaml_and_is_not_shown(project, ot, reference, form):
    (project.parent / "secret.txt").write_text("root:x:0:0")
    os.mkfifo(project / "fifo")
    lines = [line for line in CONFIG.splitlines() if not line.startswith("model:") or "defaults" in form]
    (project / "config.yaml").write_text(form.format(reference) + "\n".join(lines))
    code, text = ot("check", "config.yaml")
    assert code == 2, text
    assert "root:" not in text
    assert "OMP_NUM_THREADS" not in text
