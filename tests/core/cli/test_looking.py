"""Looking at what is installed loads neither torch nor any of it, however much there is."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

LOOKS = [
    ["--help"],
    ["run", "--help"],
    ["components"],
    ["components", "--kind", "loss", "--json"],
    ["info", "loss.crowd.l0"],
    ["plugins"],
    ["plugins", "--json"],
]
LOOKS_AT_A_FILE = [
    ["check"],
    ["show"],
    ["show", "--origin"],
    ["explain", "trainer.max_epochs"],
    ["diff", "run.name=looked-at"],
]
EXPERIMENT = """
schema_version: 1
run: {name: looked-at, out_dir: runs}
data:
 {_type_: data.random_regression, batch_size: 8, steps_per_epoch: 2, val_steps_per_epoch: 1, x_shape: [4], y_shape: [2]}
model: {sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 8, 2]}]}}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: MSELoss}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}
trainer: {_type_: trainer.default, max_epochs: 1}
"""
PROBE = """
import sys
from offline_trainer_core.cli import main
try:
    main(sys.argv[1:])
finally:
    print("loaded:", sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def modules_loaded_by(arguments: list[str], site: Path) -> str:
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{PROBE}"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr.rpartition("loaded:")[2]


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_neither_torch_nor_a_plugin_is_loaded_among_200_distributions(arguments, crowded_site) -> None:
    loaded = modules_loaded_by(arguments, crowded_site.folder)
    assert "'click'" in loaded
    assert "'torch'" not in loaded
    assert "crowd" not in loaded
    assert not list(crowded_site.folder.glob("*.imported"))


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed: it cannot be seen that it stays out")
@pytest.mark.parametrize("look", LOOKS_AT_A_FILE, ids=" ".join)
def test_looking_at_a_configuration_loads_neither_torch_nor_a_plugin(look, crowded_site, tmp_path) -> None:
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(EXPERIMENT)
    loaded = modules_loaded_by([look[0], str(experiment), *look[1:]], crowded_site.folder)
    assert "'yaml'" in loaded
    assert "'torch'" not in loaded
    assert "ot_builtins" not in loaded
    assert not list(crowded_site.folder.glob("*.imported"))


def test_the_trap_of_the_crowd_works(crowded_site) -> None:
    subprocess.run([sys.executable, "-c", "import crowd0"], cwd=crowded_site.folder, capture_output=True)
    assert (crowded_site.folder / "crowd0.imported").exists()


def test_help_loads_nothing_that_it_does_not_need(crowded_site) -> None:
    loaded = modules_loaded_by(["--help"], crowded_site.folder)
    assert not [name for name in ("rich", "yaml", "numpy", "pluggy", "importlib_metadata") if f"'{name}'" in loaded]


def test_help_lists_the_commands_that_packages_advertise(crowded_site, ot) -> None:
    shown = ot("--help").stdout
    assert "Commands of installed packages" in shown
    assert "provided by crowd-0 1.0" in shown


def test_help_asks_the_catalogue_where_the_environment_narrows_it(crowded_site, ot) -> None:
    assert "crowd" not in ot("--help", env={"OT_ALLOWED_DISTRIBUTIONS": "ot-builtins"}).stdout
    assert "crowd" in ot("--help", env={"OT_ALLOWED_DISTRIBUTIONS": "crowd-0"}).stdout
    assert "crowd" not in ot("--help", env={"OT_DISABLE_PLUGINS": "1"}).stdout
