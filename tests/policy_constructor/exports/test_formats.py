"""An export answers as the policy did, in a process that knows nothing of us."""

import logging
import subprocess
import sys

import numpy as np
import pytest
import torch

from offline_trainer_core import ComponentError
from ot_policy_constructor.exports.onnx import ONNX
from ot_policy_constructor.exports.torch_export import TorchExport

pytestmark = pytest.mark.slow
ROWS = (1, 3, 64)
EXPORTERS = {"torch_export": TorchExport, "onnx": ONNX}
WRITTEN = {
    "torch_export": {"mlp", "transformer", "convolutional", "flow", "unet"},
    "onnx": {"transformer", "convolutional", "unet"},
}
"""The families that each format is shown on; ONNX, whose translation is slow, on those that use all kinds of layers."""

FRESH = {
    "torch_export": """
import numpy, sys, torch
forbidden = {"offline_trainer_core", "ot_policy_constructor", "onnxruntime"}
def load(folder):
    module = torch.export.load(f"{folder}/policy.pt2").module()
    def act(fields, noise):
        fields = {name: torch.from_numpy(value) for name, value in fields.items()}
        return module(fields, None if noise is None else torch.from_numpy(noise)).detach().numpy()
    return act
""",
    "onnx": """
import numpy, sys, onnxruntime
forbidden = {"offline_trainer_core", "ot_policy_constructor", "torch"}
def load(folder):
    session = onnxruntime.InferenceSession(f"{folder}/policy.onnx", providers=["CPUExecutionProvider"])
    names = {given.name for given in session.get_inputs()}
    def act(fields, noise):
        given = fields if noise is None else {**fields, "noise": noise}
        assert names == set(given), names
        return session.run(["action"], given)[0]
    return act
""",
}
COMPARE = """
for folder in sys.argv[1:]:
    act = load(folder)
    worst = 0.0
    for rows in (1, 3, 64):
        with numpy.load(f"{folder}/{rows}.npz") as arrays:
            fields = {name: arrays[name] for name in arrays if name.startswith("observation")}
            noise = arrays["noise"] if "noise" in arrays else None
            worst = max(worst, float(numpy.abs(act(fields, noise) - arrays["expected"]).max() / arrays["scale"]))
    print(folder, worst)
assert forbidden.isdisjoint(sys.modules)
"""


@pytest.fixture(scope="module", params=list(EXPORTERS))
def exporter(request):
    return request.param


@pytest.fixture(scope="module")
def folders(exporter, policies, inputs_of, tmp_path_factory):
    """Return a folder for every policy, and one for a policy that does something else with a single row."""
    folders = {}
    for name, policy in policies.items():
        if name not in WRITTEN[exporter]:
            continue
        folders[name] = tmp_path_factory.mktemp(name)
        EXPORTERS[exporter]().write(policy=policy, inputs=inputs_of(policy, 3), folder=folders[name])
        save_answers(policy, inputs_of, folders[name])
    return folders


def save_answers(policy, inputs_of, folder):
    for rows in ROWS:
        observation, noise = inputs_of(policy, rows, seed=rows)
        with torch.no_grad():
            expected = policy(observation, noise)
        arrays = {**observation, "expected": expected, "scale": (expected.max() - expected.min()).clamp(min=1)}
        arrays |= {} if noise is None else {"noise": noise}
        np.savez(folder / f"{rows}.npz", **{name: value.numpy() for name, value in arrays.items()})


def compare(exporter, folders):
    command = [sys.executable, "-W", "ignore", "-c", FRESH[exporter] + COMPARE, *map(str, folders)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [float(line.split()[-1]) for line in lines]


def test_every_family_answers_alike_in_a_fresh_process_at_every_batch_size(exporter, folders):
    worst = dict(zip(folders, compare(exporter, folders.values()), strict=True))
    assert set(worst) == WRITTEN[exporter]
    assert max(worst.values()) <= 1e-5, worst


def test_the_comparison_finds_what_an_export_cannot_know(exporter, policy_that, inputs_of, tmp_path):
    policy = policy_that(lambda state: state[:, :2] * (2 if state.shape[0] == 1 else 1))
    EXPORTERS[exporter]().write(policy=policy, inputs=inputs_of(policy, 3), folder=tmp_path)
    save_answers(policy, inputs_of, tmp_path)
    assert compare(exporter, [tmp_path])[0] > 0.1


def test_what_is_loaded_answers_as_the_policy_in_any_order_of_fields(exporter, folders, policies, inputs_of):
    for name in ("convolutional", "unet"):
        act = EXPORTERS[exporter]().load(folder=folders[name], device=torch.device("cpu"))
        observation, noise = inputs_of(policies[name], 7)
        with torch.no_grad():
            expected = policies[name](observation, noise)
            answered = act({**dict(reversed(observation.items())), "unknown": torch.zeros(7)}, noise)
        torch.testing.assert_close(answered, expected, atol=1e-5, rtol=1e-5)
        assert not torch.equal(answered, act(observation, inputs_of(policies[name], 7, seed=1)[1])) or noise is None


def test_no_rows_of_the_data_are_in_the_file(policies, inputs_of, tmp_path):
    observation, noise = inputs_of(policies["mlp"], 3)
    TorchExport().write(policy=policies["mlp"], inputs=(observation, noise), folder=tmp_path)
    assert torch.export.load(tmp_path / "policy.pt2").example_inputs in (None, {})
    planted = observation["observation.state"].numpy().tobytes()
    assert planted not in (tmp_path / "policy.pt2").read_bytes()


def test_nothing_is_printed_logged_or_changed(exporter, policies, inputs_of, tmp_path, capfd, caplog):
    fused = torch.backends.mha.get_fastpath_enabled()
    EXPORTERS[exporter]().write(policy=policies["mlp"], inputs=inputs_of(policies["mlp"], 3), folder=tmp_path)
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]
    assert torch.backends.mha.get_fastpath_enabled() is fused
    assert len(list(tmp_path.iterdir())) == 1


def test_a_runtime_that_cannot_use_the_device_is_no_traceback(folders, exporter):
    if exporter == "torch_export" or torch.cuda.is_available():
        pytest.skip("asks for a device that is not there of ONNX Runtime")
    with pytest.raises(ComponentError, match=r"cannot use the device 'cuda'.* pip install onnxruntime-gpu"):
        ONNX().load(folder=folders["unet"], device=torch.device("cuda"))
