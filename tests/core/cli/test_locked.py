"""`--locked` accepts the code that a run was made of, to the byte, and refuses any other."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch  # noqa: F401 - the configurations name its layers

from offline_trainer_core.errors import UsageError
from offline_trainer_core.run import check_config, find_lock
from offline_trainer_core.run.lock import LOCK, Lock

CONFIG = """\
schema_version: 1
run: {name: small, out_dir: runs}
data: {_type_: data.random_regression, batch_size: 8, steps_per_epoch: 2, x_shape: [4], y_shape: [2]}
model: {sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 8, 2]}]}}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.team.huber}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}
trainer: {_type_: trainer.default, max_epochs: 1}
"""
LOCAL = """\
imports: [parts]
settings: {allowed_import_prefixes: [parts]}
callbacks: [{_type_: cb.local.count}]
"""
PARTS = """\
class Count:
    def on_fit_start(self): ...


def register(registry):
    registry.register_module("cb.local.count", Count)
"""
HUBER = """\
class Huber:
    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    def __call__(self, *, outputs, targets, batch, stage):
        return outputs
"""
PACKAGE = {"team/__init__.py": '"""Losses."""\n', "team/losses.py": HUBER, "team/tables/steps.json": "[1, 2, 3]\n"}


@pytest.fixture
def team(site: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return a function that installs a plugin as pip does, and gives its metadata folder."""
    monkeypatch.syspath_prepend(str(site.folder))

    def install(name: str = "ot-team", version: str = "1.0", module: str = "team") -> Path:
        info = site.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(
            f"[offline_trainer.components]\nloss.team.huber = {module}.losses:Huber\n"
        )
        files = {file.replace("team/", f"{module}/"): text for file, text in PACKAGE.items()}
        for file, text in files.items():
            (site.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (site.folder / file).write_text(text)
        (info / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in files))
        return info

    return install


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts.py").write_text(PARTS)
    (tmp_path / "small.yaml").write_text(CONFIG)
    return tmp_path / "small.yaml"


def plan_of(config: Path) -> Any:
    report = check_config(config)
    assert not report.errors
    return report.plan


def lock_of(config: Path) -> Lock:
    """Return a lock of the plugin alone: all else of this environment is as it is."""
    lock = Lock.of(plan_of(config))
    return replace(lock, torch=None, distributions={"ot-team": lock.distributions["ot-team"]})


def drifts_of(lock: Lock, config: Path) -> list[str]:
    """Return what drifted, but for the components of distributions that the lock leaves out."""
    return [drift.what for drift in lock.drifts(check_config(config).plan) if "is not pinned" not in drift.what]


def test_a_changed_byte_is_refused_wherever_it_is(team, config, site) -> None:
    team()
    lock, files = lock_of(config), sorted(PACKAGE)
    generator = random.Random(0)
    for _ in range(50):
        path = site.folder / generator.choice(files)
        content = path.read_bytes()
        place = generator.randrange(len(content))
        changed = bytearray(content)
        changed[place] ^= generator.randrange(1, 256)
        path.write_bytes(changed)
        name = path.relative_to(site.folder).as_posix()
        assert drifts_of(lock, config) == [f"ot-team 1.0 is not the code that is pinned: {name} changed"]
        path.write_bytes(content)
        assert drifts_of(lock, config) == []


def test_a_record_that_was_changed_too_helps_nobody(team, config, site) -> None:
    info = team()
    lock = lock_of(config)
    (site.folder / "team/losses.py").write_text(HUBER.replace("1.0", "9.0"))
    (info / "RECORD").write_text((info / "RECORD").read_text().replace("sha256=x", "sha256=y"))
    assert drifts_of(lock, config) == ["ot-team 1.0 is not the code that is pinned: team/losses.py changed"]


def test_added_and_missing_files_are_refused(team, config, site) -> None:
    team()
    lock = lock_of(config)
    (site.folder / "team/losses.cpython-311-x86_64-linux-gnu.so").write_bytes(b"\x7fELF")
    (site.folder / "team/tables/steps.json").unlink()
    (site.folder / "team/__pycache__").mkdir()
    (site.folder / "team/__pycache__/losses.cpython-311.pyc").write_bytes(b"cached")
    (drift,) = drifts_of(lock, config)
    assert drift.endswith(
        "pinned: team/tables/steps.json is missing, team/losses.cpython-311-x86_64-linux-gnu.so is new"
    )


def test_another_version_is_answered_with_the_command_that_brings_it_back(team, config, site, ot) -> None:
    info = team()
    lock = config.with_name(LOCK)
    lock.write_text(json.dumps(Lock.of(plan_of(config)).to_json()))
    assert ot("check", "small.yaml", f"--locked={lock}").returncode == 0
    info.rename(info.with_name("ot_team-1.1.dist-info"))
    metadata = info.with_name("ot_team-1.1.dist-info") / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.0", "1.1"))
    done = ot("check", "small.yaml", f"--locked={lock}")
    assert done.returncode == 2
    assert done.stderr == (
        f"error: this is not what {lock} pins:\n"
        "  ot-team 1.0 is pinned, and 1.1 is installed\n"
        "    to mend it: pip install 'ot-team==1.0'\n"
    )


def test_a_missing_package_is_said_before_the_names_that_it_leaves_open(team, config, ot) -> None:
    info = team()
    lock = config.with_name(LOCK)
    lock.write_text(json.dumps(Lock.of(plan_of(config)).to_json()))
    for file in info.iterdir():
        file.unlink()
    info.rmdir()
    done = ot("check", "small.yaml", f"--locked={lock}")
    assert done.returncode == 2
    assert "ot-team 1.0 is pinned, and none is installed\n    to mend it: pip install 'ot-team==1.0'" in done.stderr


def test_a_component_that_comes_from_elsewhere_is_refused(team, config) -> None:
    team("ot-other", module="other")
    elsewhere = plan_of(config)
    lock = replace(Lock.of(elsewhere), torch=None)
    moved = replace(lock, components={**lock.components, "loss.team.huber": "team.losses:Huber of ot-team"})
    assert [drift for drift in moved.drifts(elsewhere) if "huber" in drift.what] == [
        (
            "loss.team.huber was team.losses:Huber of ot-team, and is other.losses:Huber of ot-other",
            "name it 'loss.team.huber@ot-team', or uninstall the other",
        )
    ]
    unpinned = replace(lock, components={}, distributions={})
    assert "loss.team.huber is of ot-other, which is not pinned" in [d.what for d in unpinned.drifts(elsewhere)]


def test_the_sources_of_an_editable_installation_are_pinned(team, config, site, monkeypatch) -> None:
    info = team()
    project = config.parent / "project"
    project.mkdir()
    (site.folder / "team").rename(project / "team")
    monkeypatch.syspath_prepend(str(project))
    (info / "RECORD").write_text("_editable_impl_ot_team.pth,sha256=x,1\n")
    (info / "direct_url.json").write_text(json.dumps({"dir_info": {"editable": True}, "url": project.as_uri()}))
    lock = lock_of(config)
    assert set(lock.distributions["ot-team"]["files"]) == set(PACKAGE)
    assert drifts_of(lock, config) == []
    (project / "team/losses.py").write_text(HUBER.replace("1.0", "9.0"))
    (drift,) = (drift for drift in lock.drifts(plan_of(config)) if "losses.py" in drift.what)
    assert drift.what == "ot-team 1.0 is not the code that is pinned: team/losses.py changed"
    assert str(project) in drift.fix


def test_a_package_that_hides_the_installed_one_is_refused(team, config, site, ot) -> None:
    team()
    lock = config.with_name(LOCK)
    lock.write_text(json.dumps(Lock.of(plan_of(config)).to_json()))
    hiding = config.parent / "hiding" / "team"
    hiding.mkdir(parents=True)
    for name in ("__init__.py", "losses.py"):
        (hiding / name).write_text(PACKAGE[f"team/{name}"])
    path = os.pathsep.join([str(hiding.parent), str(site.folder), os.environ.get("PYTHONPATH", "")])
    done = ot("check", "small.yaml", f"--locked={lock}", env={"PYTHONPATH": path})
    assert done.returncode == 2
    assert "ot-team 1.0 is not the code that is pinned: team/tables/steps.json is missing" in done.stderr


def test_a_changed_local_module_is_refused(team, config) -> None:
    team()
    config.write_text(CONFIG + LOCAL)
    lock = lock_of(config)
    assert drifts_of(lock, config) == []
    (config.parent / "parts.py").write_text(PARTS + "\n")
    assert drifts_of(lock, config) == ["the module parts is not the code that is pinned: parts.py changed"]


def test_python_and_torch_are_pinned_by_their_versions(team, config) -> None:
    team()
    lock = replace(lock_of(config), python="3.9", torch="1.0")
    said = drifts_of(lock, config)
    assert said[0].startswith("Python 3.9 is pinned, and this is 3.")
    assert said[1].startswith("torch 1.0 is pinned, and ")


def test_the_lock_is_that_of_the_folder_of_the_configuration_or_of_the_resumed_run(team, config) -> None:
    team()
    run = config.parent / "runs" / "small"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(CONFIG)
    with pytest.raises(UsageError, match=r"name it by --locked=runs/<name>"):
        find_lock(run / "config.yaml", (), "auto", None)
    (run / LOCK).write_text("{}")
    assert find_lock(run / "config.yaml", ("run.name=other",), "auto", None) == run / LOCK
    assert find_lock(config, (), "auto", "auto").resolve() == run / LOCK
    assert find_lock(config, (), run, None) == run / LOCK
    with pytest.raises(UsageError, match="no lock to hold this to"):
        find_lock(config, (), "auto", None)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1}', '{"format": "1"}', "[" * 100_000])
def test_a_damaged_lock_is_one_message(tmp_path, content) -> None:
    (tmp_path / LOCK).write_text(content)
    with pytest.raises(UsageError, match="is no lock, or is damaged"):
        Lock.read(tmp_path / LOCK)


def test_a_lock_of_a_newer_version_and_a_missing_one_are_said(tmp_path) -> None:
    (tmp_path / LOCK).write_text('{"format": 2}')
    with pytest.raises(UsageError, match="written by a newer version"):
        Lock.read(tmp_path / LOCK)
    with pytest.raises(UsageError, match="no lock"):
        Lock.read(tmp_path / "nowhere.json")


def test_without_plugins_nothing_of_a_lock_is_let_through(team, config, ot) -> None:
    team()
    lock = config.with_name(LOCK)
    lock.write_text(json.dumps(Lock.of(plan_of(config)).to_json()))
    done = ot("check", "small.yaml", f"--locked={lock}", env={"OT_DISABLE_PLUGINS": "1"})
    assert done.returncode == 2
    assert "OT_DISABLE_PLUGINS is set" in done.stdout
