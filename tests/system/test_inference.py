"""An inference repository: the policy constructor and the algorithms alone, without what trains."""

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from offline_trainer_core import load_policy

pytestmark = pytest.mark.slow
MODEL = """
schema_version: 1
model:
  graph:
    inputs: [actions, time, x]
    modules:
      unet: {_type_: block.temporal_unet, action_dim: 2, context_dim: 3, widths: [8, 16], time_dim: 8}
    steps:
      - {call: module:unet, args: [$actions, $time, $x], out: velocity}
    outputs: [$velocity]
"""
CONFIGURATION = """
schema_version: 1
run: {name: flow, out_dir: runs, device: cpu, seed: 0}
data: {_type_: data.random_regression, batch_size: 16, steps_per_epoch: 5, x_shape: [3], y_shape: [4, 2]}
normalize: {x: mean_std, y: mean_std}
model: {config_path: model.yaml}
algorithm: {_type_: algo.flow_matching, action_shape: [4, 2], action_field: y, context: {x: x}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}
trainer: {_type_: trainer.default, max_epochs: 1}
callbacks: [{_type_: cb.ema, decay: 0.9}, {_type_: cb.model_checkpoint, every_n_epochs: 1}]
"""
ACTS = """
import sys
import torch
from safetensors.torch import load_file, save_file
from ot_policy_constructor import load_policy

given = load_file("given.safetensors")
acted = {name: load_policy(name)({"x": given["x"]}, given["noise"]) for name in ("runs/flow", "out")}
save_file(acted, "acted.safetensors")
training = ("offline_trainer_core.engine", "ot_builtins")
assert not [name for name in sys.modules if name.startswith(training)]
"""
BUILDS = """
import json
from ot_policy_constructor import build_model

print(json.dumps({name: list(value.shape) for name, value in build_model("model.yaml").state_dict().items()}))
"""


@pytest.fixture(scope="module")
def inference(make_environment, distributions):
    """An environment with the policy constructor, the imitation algorithms, and what they need."""
    made = make_environment()
    made.install("--find-links", distributions, "ot-policy-constructor", "ot-imitation")
    return made


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with the run `flow`, trained where everything is installed, its model file, and an export of it."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "model.yaml").write_text(MODEL)
    (folder / "cfg.yaml").write_text(CONFIGURATION)
    for command in (["run", "cfg.yaml"], ["export", "runs/flow", "--format", "safetensors", "-o", "out"]):
        done = subprocess.run(
            [sys.executable, "-m", "offline_trainer_core", *command],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    return folder


def test_what_trains_is_not_installed_there(inference):
    assert inference.run("python", "-c", "import ot_builtins").returncode != 0


def test_a_run_and_its_export_act_there_as_they_do_here(inference, workplace):
    given = {"x": torch.linspace(-1, 1, 12).reshape(4, 3), "noise": torch.randn(4, 4, 2)}
    save_file(given, workplace / "given.safetensors")
    done = inference.run("python", "-c", ACTS, cwd=workplace)
    assert done.returncode == 0, done.stderr
    expected = load_policy(workplace / "runs" / "flow")({"x": given["x"]}, given["noise"])
    acted = load_file(workplace / "acted.safetensors")
    assert set(acted) == {"runs/flow", "out"}
    assert all(torch.equal(actions, expected) for actions in acted.values())


def test_the_same_file_builds_the_architecture_with_the_same_names(inference, workplace):
    done = inference.run("python", "-c", BUILDS, cwd=workplace)
    assert done.returncode == 0, done.stderr
    trained = load_policy(workplace / "runs" / "flow").module.networks["model"].state_dict()
    assert json.loads(done.stdout) == {name: list(value.shape) for name, value in trained.items()}
