"""An export acts as the policy that it was made of, or there is none; and says what is wrong with it later."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from offline_trainer_core import CheckpointError, ComponentError, DataError, UsageError, load_policy, run
from offline_trainer_core.catalogue import Registry
from offline_trainer_core.deploy import export_policy

SEEN = {"x": torch.linspace(-1, 1, 12).reshape(4, 3)}
EXPORTERS = """
import torch


class Rounds:
    def write(self, *, policy, inputs, folder):
        (folder / "policy.txt").write_text("nothing")

    def load(self, *, folder, device):
        return lambda observation, noise: torch.ones(len(observation["x"]), 2)


class Refuses:
    def write(self, *, policy):
        raise ValueError("it is too beautiful")


class Breaks(Rounds):
    def load(self, *, folder, device):
        raise RuntimeError("there is no such thing")
"""


@pytest.fixture
def exporters(tmp_path, monkeypatch):
    """Exporters of another package, each wrong in its own way, that this process and others find."""
    site = tmp_path / "site"
    metadata = site / "ot_bad-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ot-bad\nVersion: 1.0\n")
    names = ("Rounds", "Refuses", "Breaks")
    lines = [f"export.bad.{name.lower()} = bad_exporters:{name}" for name in names]
    (metadata / "entry_points.txt").write_text("\n".join(["[offline_trainer.components]", *lines]))
    (site / "bad_exporters.py").write_text(EXPORTERS)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))


@pytest.fixture(scope="module")
def made(workplace, tmp_path_factory):
    """An export of the run `small`, made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        made = export_policy("runs/small", "safetensors", tmp_path_factory.mktemp("made") / "out")
    sys.modules.pop("local_parts", None)
    return made


@pytest.fixture
def out(made, workplace, tmp_path, monkeypatch):
    """The folder of a copy of an export of the run `small`."""
    monkeypatch.syspath_prepend(workplace)  # where its local code is
    return shutil.copytree(made.folder, tmp_path / "out")


def ot(*arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "offline_trainer_core", *arguments], capture_output=True, text=True
    )


def test_an_export_acts_as_the_run_to_the_bit(small, made):
    assert torch.equal(load_policy(made.folder)(SEEN), load_policy(small)(SEEN))
    assert made.passport.parity == {"1": 0.0, "3": 0.0, "64": 0.0}


def test_the_exported_policy_has_the_weights_that_act(small, out):
    from safetensors.torch import load_file

    tensors, policy = load_file(out / "policy.safetensors"), load_policy(small).module
    for name, value in policy.networks["policy"].state_dict().items():
        assert torch.equal(tensors[f"models.policy.{name}"], value)


def test_noise_is_an_argument_of_what_samples(dreams):
    exported = export_policy(dreams, "safetensors", "out")
    assert exported.passport.noise_shape == [2]
    mine, theirs = load_policy("out"), load_policy(dreams)
    for policy in (mine, theirs):
        policy.reset(5)
    assert torch.equal(mine(SEEN), theirs(SEEN))
    assert torch.equal(mine(SEEN, torch.zeros(4, 2)), theirs(SEEN, torch.zeros(4, 2)))


def test_it_says_what_it_is(out):
    content = json.loads((out / "policy.json").read_text())
    assert content["observation"] == {"x": {"shape": [3], "dtype": "float32"}}
    assert content["action"] == {"field": "action", "shape": [2], "dtype": "float32"}
    assert content["source"] == {"run": "small", "checkpoint": "step_00000020", "step": 20}
    assert content["versions"].keys() == {"python", "torch", "ot-builtins", "ot-policy-constructor"}
    assert content["files"].keys() == {"definition.json", "policy.safetensors"}


def test_the_command_says_where_it_wrote_and_how_it_compares(small):
    done = ot("export", str(small), "--format", "safetensors")
    assert done.returncode == 0, done.stderr
    assert "0.0e+00 at batch 1, 0.0e+00 at batch 3, 0.0e+00 at batch 64" in done.stdout
    assert (small / "exports" / "step_00000020-safetensors" / "policy.json").is_file()
    again = ot("export", str(small), "--format", "safetensors")
    assert (again.returncode, "is never overwritten" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rounds", "what export.bad.rounds wrote does not act as the policy does"),
        ("refuses", "export.bad.refuses (ot-bad 1.0) cannot export this policy: it is too beautiful"),
        ("breaks", "RuntimeError: there is no such thing"),
    ],
)
def test_what_does_not_act_alike_is_not_left_behind(small, exporters, name, message):
    done = ot("export", str(small), "--format", f"bad.{name}")
    assert done.returncode == 3
    assert message in done.stderr
    assert list((small / "exports").iterdir()) == []


def test_a_format_that_is_not_installed_is_named_with_those_that_are(small):
    with pytest.raises(UsageError, match=r"no export format 'onyx'; there are: .*safetensors"):
        export_policy(small, "onyx")


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"is no run folder: it has no config\.yaml"):
        export_policy(tmp_path, "safetensors")


def test_a_policy_of_one_batch_size_is_refused(workplace, tmp_path, monkeypatch):
    shutil.copytree(workplace, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.syspath_prepend(tmp_path / "work")
    halves = (
        "[{_type_: nn.Unflatten, dim: 0, unflattened_size: [2, 4]}, {_type_: nn.Flatten, start_dim: 0, end_dim: 1}]"
    )
    layers = f"model.components.policy.sequential.layers={{_merge_: append, _value_: {halves}}}"
    run("small.yaml", ["run.name=halves", "trainer.max_epochs=1", layers])
    with pytest.raises(ComponentError, match=r"cannot act on . rows, .* any size: .* Write -1 or x\.shape\[0\]"):
        export_policy("runs/halves", "safetensors", "out")
    assert not Path("out").exists()


@pytest.mark.parametrize("name", ["policy.safetensors", "definition.json", "policy.json"])
def test_a_file_that_was_changed_is_named(out, name):
    file = out / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"out is damaged: {name.replace('.', '[.]')} "):
        load_policy(out)


def test_a_file_that_is_missing_is_named(out):
    os.remove(out / "policy.safetensors")
    with pytest.raises(CheckpointError, match=r"policy\.safetensors is missing"):
        load_policy(out)


def test_a_program_is_loaded_only_by_who_trusts_it(small, tmp_path, monkeypatch):
    out = export_policy(small, "torch_export", tmp_path / "program").folder
    loaded = []
    with monkeypatch.context() as patch:
        patch.setattr("torch.export.load", lambda *_: loaded.append("it ran"))
        with pytest.raises(UsageError, match=r"program holds a program, .* trust_code=True if you know who wrote it"):
            load_policy(out)
    assert not loaded
    torch.testing.assert_close(load_policy(out, trust_code=True)(SEEN), load_policy(small)(SEEN))


def test_an_exporter_that_is_not_installed_is_named(out, monkeypatch):
    monkeypatch.setattr("offline_trainer_core.deploy.loading.build_registry", Registry)
    with pytest.raises(ComponentError, match="which is not installed: pip install ot-policy-constructor"):
        load_policy(out)


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        ({"y": torch.ones(2, 3)}, "it has no field 'x'"),
        ({"x": torch.ones(2, 4)}, r"'x' has the shape \(2, 4\)"),
        ({"x": torch.ones(3)}, "lacks the batch dimension"),
    ],
)
def test_an_observation_that_does_not_fit_is_refused(out, observation, message):
    with pytest.raises(DataError, match=message):
        load_policy(out)(observation)
