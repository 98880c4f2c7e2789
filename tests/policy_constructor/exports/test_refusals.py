"""What cannot be exported is refused in words, and leaves nothing behind."""

import pytest
import torch
from torch import nn

from offline_trainer_core import ComponentError, format_error_with_context
from ot_policy_constructor import build_model
from ot_policy_constructor.exports.onnx import ONNX
from ot_policy_constructor.exports.torch_export import TorchExport


def branches(state):
    if state.sum() > 0:
        return state[:, :2]
    return -state[:, :2]


def counts(state):
    return state[:, :2] * int(state[0, 0].abs().item())


def selects(state):
    return state[state[:, 0] > 0][:, :2]


def is_written_for_three(state):
    return state[:, :2].reshape(3, 2)


def takes_the_length(state):
    return torch.zeros(len(state), 2) + state[:, :2]


def loops_over_rows(state):
    return torch.stack([row[:2] * 2 for row in state])


def wants_more_than_two(state):
    return state[:, :2] if state.shape[0] > 2 else -state[:, :2]


def leaves_torch(state):
    return torch.from_numpy(state.numpy() * 2)[:, :2]


def draws(state):
    return state[:, :2] + torch.randn_like(state[:, :2])


def draws_of_its_own(state):
    return state[:, :2] + torch.randn(state.shape[0], 2, generator=torch.Generator().manual_seed(0))


def drops(state):
    return nn.functional.dropout(state[:, :2], 0.5, training=True)


def raises(state):
    raise ValueError("a gripper is missing")


REFUSED = [
    (branches, "depends on the values of a tensor", "torch.where"),
    (counts, "the value of a tensor into a number", "keep it a tensor"),
    (selects, "not the number of observations", "torch.where"),
    (is_written_for_three, "some batch sizes only", "-1 or x.shape"),
    (takes_the_length, "some batch sizes only", "x.shape"),
    (loops_over_rows, "some batch sizes only", "all rows at once"),
    (wants_more_than_two, "some batch sizes only", "all rows at once"),
    (leaves_torch, "leaves torch for NumPy", "compute with torch"),
    (draws, "draws random numbers itself", "'noise_shape'"),
    (draws_of_its_own, "the size of the batch as a number", "'noise'"),
    (drops, "draws random numbers itself", "'noise_shape'"),
    (raises, "ValueError: a gripper is missing", "safetensors"),
]


def refusal_of(exporter, policy, inputs, folder, capfd):
    with pytest.raises(ComponentError) as caught:
        exporter.write(policy=policy, inputs=inputs, folder=folder)
    assert list(folder.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    return format_error_with_context(caught.value)


@pytest.mark.parametrize(("act", "why", "instead"), REFUSED, ids=lambda value: getattr(value, "__name__", ""))
def test_code_that_is_no_program_is_refused(act, why, instead, policy_that, inputs_of, tmp_path, capfd):
    policy = policy_that(act)
    text = refusal_of(TorchExport(), policy, inputs_of(policy, 3), tmp_path, capfd)
    assert text.startswith("error: the policy cannot be captured as one program: ")
    assert why in text
    assert instead in text
    assert "\n" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("act", [branches, leaves_torch, raises])
def test_a_refusal_names_the_line(act, policy_that, inputs_of, tmp_path, capfd):
    policy = policy_that(act)
    text = refusal_of(TorchExport(), policy, inputs_of(policy, 3), tmp_path, capfd)
    line = act.__code__.co_firstlineno + 1
    assert f"in {act.__name__} at {__file__}:{line};" in text


def test_a_refusal_names_the_node_of_a_graph(policy_that, inputs_of, tmp_path, capfd):
    class Gate(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    from offline_trainer_core import build_registry

    registry = build_registry()
    registry.register_module("block.gate", Gate)
    definition = {
        "inputs": ["x"],
        "modules": {"gate": {"_type_": "block.gate"}},
        "nodes": [{"name": "y", "call": "module:gate", "args": ["$x"]}],
        "outputs": ["$y"],
    }
    network = build_model({"schema_version": 1, "model": {"graph": definition}}, registry=registry)
    policy = policy_that(lambda state: network(state[:, :2]), {"network": network})
    text = refusal_of(TorchExport(), policy, inputs_of(policy, 3), tmp_path, capfd)
    assert "in model.graph.nodes[0] 'y' (module 'gate', block.gate)" in text


def test_onnx_refuses_as_torch_does(policy_that, inputs_of, tmp_path, capfd):
    policy = policy_that(branches)
    assert "torch.where" in refusal_of(ONNX(), policy, inputs_of(policy, 3), tmp_path, capfd)


def test_onnx_refuses_an_operator_that_it_lacks_and_torch_does_not(policy_that, inputs_of, tmp_path, capfd):
    policy = policy_that(lambda state: torch.special.i0e(state[:, :2]))
    text = refusal_of(ONNX(), policy, inputs_of(policy, 3), tmp_path, capfd)
    assert text == (
        "error: the policy cannot be written as ONNX: it uses prims.bessel_i0e, and ONNX has no such operator; use "
        "another, or export it as torch.export or as safetensors"
    )
    TorchExport().write(policy=policy, inputs=inputs_of(policy, 3), folder=tmp_path)


def test_what_is_only_unusual_is_exported(policy_that, inputs_of, tmp_path):
    """The rows are found by position, dropout is at rest, and a mask keeps its shape: none of it depends on values."""
    dropout = nn.Dropout(0.5).eval()

    def act(state):
        first = torch.arange(state.shape[0])[:, None] == 0
        return torch.where(first, dropout(state[:, :2]), state[:, :2].clamp(min=0))

    policy = policy_that(act, {"dropout": dropout})
    TorchExport().write(policy=policy, inputs=inputs_of(policy, 3), folder=tmp_path)
    loaded = TorchExport().load(folder=tmp_path, device=torch.device("cpu"))
    observation, _ = inputs_of(policy, 5)
    torch.testing.assert_close(loaded(observation, None), policy(observation), atol=1e-6, rtol=1e-6)


def test_what_onnx_runtime_cannot_run_is_refused_in_words(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    given, told = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in ("x", "action"))
    graph = helper.make_graph(
        [helper.make_node("Grasp", ["x"], ["action"], domain="of.mine")], "policy", [given], [told]
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("of.mine", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "policy.onnx")
    with pytest.raises(ComponentError, match=r"ONNX Runtime [\d.]+ cannot run the policy: .*Grasp"):
        ONNX().load(folder=tmp_path, device=torch.device("cpu"))
