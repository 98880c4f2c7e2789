"""Installed plugins that nothing names are not imported, whatever they advertise and whatever is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch  # noqa: F401 - a run needs it

GROUPS = {
    "components": "loss.trap{n} = trap{n}.inner:Trap\nmodel.trap{n} = trap{n}:Trap\ncb.trap{n} = trap{n}.inner:Trap",
    "plugins": "trap{n} = trap{n}.inner:Trap",
    "commands": "trap{n} = trap{n}.inner:command",
    "readers": "loss.trap{n} = trap{n}.inner:read\nloss.torch = trap{n}.inner:read",
    "renames": "loss = trap{n}.inner:RENAMES",
    "schemas": "frontend.trap{n} = trap{n}.inner:schema",
}
TRAPS = 20
SPRING = "import os\nopen(os.path.join(os.environ['SPRUNG'], __name__), 'w').close()\n"
CONFIG = """
schema_version: 1
run: {name: demo, out_dir: runs, seed: 0, device: cpu}
data: {_type_: data.random_regression, batch_size: 4, steps_per_epoch: 2, val_steps_per_epoch: 1}
model: {sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [32, 16]}]}}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: MSELoss}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, max_epochs: 1}
"""
COMMANDS = (
    ["--help"], ["--version"], ["plugins"], ["components"], ["components", "loss"], ["info", "loss.trap3"],
    ["info", "loss.torch"], ["schema"], ["show", "config.yaml"], ["explain", "config.yaml", "loss"],
    ["diff", "config.yaml", "other.yaml"], ["check", "config.yaml"], ["check", "--deep", "config.yaml"],
    ["check", "config.yaml", "+lss=1"], ["check", "config.yaml", "loss._type_=loss.trap"],
    ["check", "config.yaml", "+callbacks={_type_: cb.trap1}", "+plugins=trap2"], ["migrate", "config.yaml"],
    ["run", "--help"], ["run", "config.yaml", "--dry-run"], ["run", "config.yaml"],
    ["run", "config.yaml", "--resume", "trainer.max_epochs=2", "--accept-changes"], ["runs"],
    ["runs", "runs", "--format", "json"],
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path in which distributions lie as pip leaves them: all their modules spring."""
    site = tmp_path_factory.mktemp("site")
    for n in range(TRAPS):
        module, info = site / f"trap{n}", site / f"ot_trap{n}-1.0.dist-info"
        module.mkdir()
        info.mkdir()
        (module / "__init__.py").write_text(SPRING)
        (module / "inner.py").write_text(f"{SPRING}class Trap:\n    def on_fit_start(self): ...\ndef command(): ...\n")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: ot-trap{n}\nVersion: 1.0\n")
        points = (f"[offline_trainer.{group}]\n{lines.format(n=n)}\n" for group, lines in GROUPS.items())
        (info / "entry_points.txt").write_text("".join(points))
    return site


@pytest.fixture
def ot(site, tmp_path):
    """Return a function that runs `ot` and returns its exit code, its output, and which modules sprang."""
    for name in ("config.yaml", "other.yaml"):
        (tmp_path / name).write_text(CONFIG)
    sprung = tmp_path / "sprung"

    def run(*arguments, **settings):
        sprung.mkdir(exist_ok=True)
        for mark in sprung.iterdir():
            mark.unlink()
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
        env = {**os.environ, "PYTHONPATH": path, "SPRUNG": str(sprung), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        command = [sys.executable, "-m", "offline_trainer_core", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=env | settings, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout + done.stderr, sorted(mark.name for mark in sprung.iterdir())

    return run


def test_no_command_imports_what_nothing_names(ot):
    for command in COMMANDS:
        code, text, sprung = ot(*command)
        assert code in (0, 2), (command, text)
        assert sprung == [], command


def test_all_of_them_are_known(ot):
    """The control: they are installed, as far as anybody can tell without importing them."""
    _, text, _ = ot("plugins")
    assert [n for n in range(TRAPS) if f"ot-trap{n} " not in text] == []


def test_what_is_named_is_imported_and_nothing_else(ot):
    code, text, sprung = ot("run", "config.yaml", "run.name=named", "+callbacks={_type_: cb.trap0}")
    assert sprung == ["trap0", "trap0.inner"], text
    assert code == 0, text
    _, _, sprung = ot("check", "--deep", "config.yaml", "+plugins=trap7")
    assert sprung in ([], ["trap7", "trap7.inner"])
    _, _, sprung = ot("run", "config.yaml", "run.name=plugged", "+plugins=trap7")
    assert sprung == ["trap7", "trap7.inner"]
    _, _, sprung = ot("trap8", "--help")
    assert sprung == ["trap8", "trap8.inner"]
    _, _, sprung = ot("check", "config.yaml", "+callbacks={_type_: cb.trap6}", "loss={_type_: loss.trap6}")
    assert sprung in ([], ["trap6", "trap6.inner"]), "a reader is of the distribution whose component is named"


@pytest.mark.parametrize("setting", [{"OT_DISABLE_PLUGINS": "1"}, {"OT_ALLOWED_DISTRIBUTIONS": "ot-builtins"}])
def test_what_is_switched_off_is_not_imported_where_it_is_named(ot, setting):
    for arguments in (["check", "config.yaml", "+callbacks={_type_: cb.trap0}", "+plugins=trap7"], ["trap8"]):
        code, _, sprung = ot(*arguments, **setting)
        assert (code, sprung) == (2, [])
