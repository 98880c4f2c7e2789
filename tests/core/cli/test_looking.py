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
    print("loaded:", *sys.modules, file=sys.stderr)
"""
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed: it cannot stay out")
READERS = {"ot_builtins": ("readers",), "ot_policy_constructor": ("build", "ir")}
"""Packages whose readers a check of the experiment asks, and the modules that these need."""


def modules_loaded_by(arguments: list[str], site: Path, code: int = 0) -> set[str]:
    program = f"import sys; sys.path.insert(0, {str(site)!r})\n{PROBE}"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return set(done.stderr.rpartition("loaded:")[2].split())


def reads_only(name: str) -> bool:
    """Whether a module of one of our packages is there for a reader."""
    package, _, rest = name.partition(".")
    return not rest or rest.partition(".")[0] in READERS.get(package, ())


def of_our_packages(loaded: set[str]) -> set[str]:
    return {name for name in loaded if name.startswith("ot_")}


@pytest.mark.parametrize("arguments", LOOKS, ids=" ".join)
def test_neither_torch_nor_a_plugin_is_loaded_among_200_distributions(arguments, crowded_site) -> None:
    loaded = modules_loaded_by(arguments, crowded_site.folder)
    assert "click" in loaded
    assert "torch" not in loaded
    assert not of_our_packages(loaded)
    assert not [name for name in loaded if name.startswith("crowd")]
    assert not list(crowded_site.folder.glob("*.imported"))


@needs_torch
@pytest.mark.parametrize("look", LOOKS_AT_A_FILE, ids=" ".join)
def test_looking_at_a_configuration_loads_neither_torch_nor_a_component(look, crowded_site, tmp_path) -> None:
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(EXPERIMENT)
    loaded = modules_loaded_by([look[0], str(experiment), *look[1:]], crowded_site.folder)
    assert "yaml" in loaded
    assert "torch" not in loaded
    assert not [name for name in of_our_packages(loaded) if not reads_only(name)]
    assert not list(crowded_site.folder.glob("*.imported"))


@needs_torch
def test_a_check_asks_readers_and_a_component_would_be_noticed(crowded_site, tmp_path) -> None:
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(EXPERIMENT)
    assert "ot_builtins.readers" in modules_loaded_by(["check", str(experiment)], crowded_site.folder)
    assert not reads_only("ot_builtins.losses")
    assert not reads_only("ot_example_plugins.reader")


def test_the_trap_of_the_crowd_works(crowded_site) -> None:
    subprocess.run([sys.executable, "-c", "import crowd0"], cwd=crowded_site.folder, capture_output=True)
    assert (crowded_site.folder / "crowd0.imported").exists()


def test_help_loads_nothing_that_it_does_not_need(crowded_site) -> None:
    loaded = modules_loaded_by(["--help"], crowded_site.folder)
    assert not loaded & {"rich", "yaml", "numpy", "pluggy", "importlib_metadata"}


@needs_torch
def test_a_check_loads_nothing_that_only_mistakes_need(crowded_site, tmp_path) -> None:
    costly = {"difflib", "email", "importlib_metadata", "packaging", "pathlib", "rich", "offline_trainer_core.record"}
    right, wrong = tmp_path / "right.yaml", tmp_path / "wrong.yaml"
    right.write_text(EXPERIMENT)
    wrong.write_text(EXPERIMENT.replace("max_epochs", "max_epoch"))
    assert not modules_loaded_by(["check", str(right)], crowded_site.folder) & costly
    assert "difflib" in modules_loaded_by(["check", str(wrong)], crowded_site.folder, code=2)


def test_help_lists_the_commands_that_packages_advertise(crowded_site, ot) -> None:
    shown = ot("--help").stdout
    assert "Commands of installed packages" in shown
    assert "provided by crowd-0 1.0" in shown


def test_help_asks_the_catalogue_where_the_environment_narrows_it(crowded_site, ot) -> None:
    assert "crowd" not in ot("--help", env={"OT_ALLOWED_DISTRIBUTIONS": "ot-builtins"}).stdout
    assert "crowd" in ot("--help", env={"OT_ALLOWED_DISTRIBUTIONS": "crowd-0"}).stdout
    assert "crowd" not in ot("--help", env={"OT_DISABLE_PLUGINS": "1"}).stdout
