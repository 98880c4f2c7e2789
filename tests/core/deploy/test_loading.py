"""A policy is loaded without what trained it, acts as in evaluation, and says what is wrong with its folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import torch

import offline_trainer_core
import ot_policy_constructor
from offline_trainer_core import (
    CheckpointError,
    ComponentError,
    ConfigError,
    DataError,
    DeviceError,
    UsageError,
    load_policy,
)
from offline_trainer_core.record import load_checkpoint
from offline_trainer_core.run import evaluate

SEEN = {"x": torch.linspace(-1, 1, 12).reshape(4, 3)}
TRAINING = (
    *("offline_trainer_core.engine", "ot_builtins.trainer", "ot_builtins.data", "ot_builtins.callbacks"),
    *("ot_builtins.optimizers", "ot_builtins.schedulers", "ot_builtins.loggers", "ot_builtins.strategies"),
)


@pytest.fixture
def evaluated(small):
    """Return a function that gives the actions of the policy that is evaluated."""

    def act(checkpoint="last"):
        evaluate(small, checkpoint=checkpoint, overrides=["+eval={_type_: eval.local.records}"])
        return torch.load("actions.pt")

    return act


@pytest.mark.parametrize("checkpoint", ["last", "step_00000010"])
def test_it_acts_as_the_policy_that_is_evaluated_to_the_bit(small, evaluated, checkpoint):
    assert torch.equal(load_policy(small, checkpoint)(SEEN), evaluated(checkpoint))


def test_the_averaged_weights_are_those_that_act(small):
    last = small / "checkpoints" / "step_00000020"
    state = load_checkpoint(last).state
    averages = state["callbacks.ema"]["policy_weights"]["policy"]
    networks = load_policy(last).module.networks["policy"].state_dict()
    assert all(torch.equal(networks[name], average) for name, average in averages.items())
    assert not any(torch.equal(state["models.policy"][name], average) for name, average in averages.items())


def test_what_no_average_is_kept_of_is_the_models_own(small):
    last = small / "checkpoints" / "step_00000020"
    networks = load_policy(last).module.networks["policy"].state_dict()
    assert torch.equal(networks["1.running_mean"], load_checkpoint(last).state["models.policy"]["1.running_mean"])


def test_nothing_that_trains_is_imported(small):
    code = f"""
import sys, torch
from offline_trainer_core import load_policy
load_policy({str(small)!r})({{"x": torch.ones(2, 3)}})
print([name for name in sys.modules if name.startswith({TRAINING!r})])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_packages_of_the_training_need_not_be_installed(small, edit):
    expected = load_policy(small)(SEEN)
    for there in ("data.random_regression", "cb.ema", "optim_factory.torch", "trainer.default"):
        edit(small / "config.yaml", there, f"{there.partition('.')[0]}.not.installed")
    assert torch.equal(load_policy(small)(SEEN), expected)


def test_a_component_of_the_policy_that_is_not_installed_is_named(small, edit):
    edit(small / "config.yaml", "nn.Dropout", "nn.not_installed")
    with pytest.raises(
        ConfigError, match=r"no component 'nn\.not_installed' is installed(.|\n)*pip install ot-policy-c"
    ):
        load_policy(small)


def test_a_checkpoint_folder_will_do_wherever_it_lies(small, tmp_path):
    moved = shutil.copytree(small / "checkpoints" / "step_00000010", tmp_path / "elsewhere")
    assert torch.equal(load_policy(moved)(SEEN), load_policy(small, "step_00000010")(SEEN))


def test_the_best_checkpoint_is_the_default_and_then_the_last(small):
    first, last = (load_policy(small, name)(SEEN) for name in ("step_00000010", "step_00000020"))
    assert not torch.equal(first, last)
    assert torch.equal(load_policy(small)(SEEN), last)
    offline_trainer_core.record.RunFolder(small).checkpoints.mark_best("step_00000010")
    assert torch.equal(load_policy(small)(SEEN), first)


def test_the_random_numbers_of_the_program_are_left_alone(small):
    torch.manual_seed(4)
    before = torch.get_rng_state()
    load_policy(small)
    assert torch.equal(torch.get_rng_state(), before)


def test_samples_are_a_function_of_the_seed(dreams):
    policy = load_policy(dreams)
    assert policy.noise_shape == (2,)
    policy.reset(3)
    first = policy(SEEN)
    assert not torch.equal(policy(SEEN), first)
    policy.reset(3)
    assert torch.equal(policy(SEEN), first)


def test_the_policy_constructor_has_the_same_function():
    assert ot_policy_constructor.load_policy is load_policy


def test_a_folder_that_is_none_of_the_three_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"has none of the three: .*config\.yaml.*manifest\.json.*policy\.json"):
        load_policy(tmp_path)
    with pytest.raises(UsageError, match="nowhere does not exist"):
        load_policy(tmp_path / "nowhere")


def test_a_run_without_a_checkpoint_is_refused(small):
    shutil.rmtree(small / "checkpoints")
    with pytest.raises(CheckpointError, match="small has no checkpoint yet"):
        load_policy(small)


def test_a_checkpoint_that_is_not_there_is_named_with_those_that_are(small):
    with pytest.raises(CheckpointError, match=r"no checkpoint 'step_7' .*step_00000010, step_00000020"):
        load_policy(small, "step_7")


def test_a_checkpoint_of_another_architecture_is_refused(small, edit):
    edit(small / "config.yaml", "out_features: 2", "out_features: 5")
    with pytest.raises(CheckpointError, match=r"does not fit model 'policy': 3\.bias: \(2,\) in the file, \(5,\) here"):
        load_policy(small)


def test_a_checkpoint_of_other_models_is_refused(small, edit):
    edit(small / "config.yaml", "    policy:", "    actor:")
    with pytest.raises(CheckpointError, match="it has the models policy, and the configuration describes actor"):
        load_policy(small)


def test_a_damaged_file_is_named(small):
    file = small / "checkpoints" / "step_00000020" / "models.policy.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged: models\.policy\.safetensors has not the content that was"):
        load_policy(small, "step_00000020")


@pytest.mark.parametrize(
    ("algorithm", "message"),
    [
        ("idle", "Idle has no 'act' method"),
        ("greedy", r"setup asks for 'datamodule', which is no part of a policy; the parts are: algorithm, .*models"),
    ],
)
def test_an_algorithm_that_cannot_act_alone_is_refused(dreams, edit, algorithm, message):
    edit(dreams / "config.yaml", "algo.local.dreams", f"algo.local.{algorithm}")
    with pytest.raises(ComponentError, match=message):
        load_policy(dreams)


def test_an_observation_without_a_field_is_refused(small):
    with pytest.raises(DataError, match="no 'x': the batch has y"):
        load_policy(small)({"y": torch.ones(2, 3)})


@pytest.mark.parametrize("device", ["cuda:99", "tpu-of-mine"])
def test_a_device_that_is_not_there_is_refused(small, device):
    with pytest.raises(DeviceError, match=f"there is no device '{device}'"):
        load_policy(small, device=device)


def test_a_checkpoint_is_chosen_in_runs_only(small):
    with pytest.raises(UsageError, match="is a checkpoint already"):
        load_policy(small / "checkpoints" / "step_00000010", "last")


def test_the_manifest_is_what_a_checkpoint_is_known_by(small):
    manifest = json.loads((small / "checkpoints" / "step_00000010" / "manifest.json").read_text())
    assert manifest["config"]["model"] == offline_trainer_core.resolve_config(small / "config.yaml").plain("model")
