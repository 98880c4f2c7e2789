"""A graph model is compiled, exported and trained on several processes as a module written by hand is."""

import copy
import pickle

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ot_policy_constructor.frontends import graph, sequential

MODULES = {
    "state": {"_type_": "block.mlp", "dims": [5, 16, 8], "norm": "LayerNorm"},
    "camera": {"_type_": "nn.Conv2d", "in_channels": 3, "out_channels": 8, "kernel_size": 3},
    "attention": {"_type_": "nn.MultiheadAttention", "embed_dim": 8, "num_heads": 2, "batch_first": True},
    "norm": {"_type_": "nn.LayerNorm", "normalized_shape": 8},
    "trunk": {"_type_": "block.mlp", "dims": [8, 16, 8], "activation": "GELU"},
    "head": {"_type_": "nn.Linear", "in_features": 8, "out_features": 4},
}
NODES = [
    {"name": "seen", "call": "module:camera", "args": ["$image"]},
    {"name": "cells", "call": "op:flatten", "args": ["$seen"], "kwargs": {"start_dim": 2}},
    {"name": "tokens", "call": "op:transpose", "args": ["$cells", 1, 2]},
    {"name": "felt", "call": "module:state", "args": ["$state"]},
    {"name": "query", "call": "op:unsqueeze", "args": ["$felt", 1]},
    {"call": "module:attention", "args": ["$query", "$tokens", "$tokens"], "out": ["read", "weights"],
     "kwargs": {"key_padding_mask": "$mask"}},
    {"name": "sum", "call": "op:add", "args": ["$read", "$query"]},
    {"name": "normed", "call": "module:norm", "args": ["$sum"]},
    {"name": "once", "call": "module:trunk", "args": ["$normed"]},
    {"name": "twice", "call": "module:trunk", "args": ["$once"]},
    {"name": "flat", "call": "op:squeeze", "args": ["$twice", 1]},
    {"name": "parameters", "call": "module:head", "args": ["$flat"]},
    {"name": "parts", "call": "op:chunk", "args": ["$parameters", 2], "out": ["mean", "log_std"]},
    {"name": "bounded", "call": "op:clamp", "args": ["$log_std"], "kwargs": {"min": -5.0, "max": 2.0}},
]  # fmt: skip
POLICY = {
    "inputs": ["image", "state", {"mask": None}],
    "modules": MODULES,
    "nodes": NODES,
    "outputs": {"mean": "$mean", "log_std": "$bounded", "weights": "$weights"},
}


@pytest.fixture
def model(registry):
    torch.manual_seed(0)
    return graph(POLICY, registry=registry)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    image, state = torch.randn(4, 3, 6, 6, generator=generator), torch.randn(4, 5, generator=generator)
    return {"image": image, "state": state, "mask": torch.arange(16).expand(4, 16) > 9}


def gradients(model, outputs):
    (outputs["mean"].square().sum() + outputs["log_std"].sum()).backward()
    found = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    return found


class Breaking(nn.Module):
    """What the counter of graph breaks must find."""

    def forward(self, x):
        if x.sum() > 0:
            return x + 1
        return x - 1


def breaks(model, *args, **kwargs):
    torch._dynamo.reset()
    explained = torch._dynamo.explain(model)(*args, **kwargs)
    return explained.graph_count, explained.graph_break_count


def test_a_graph_has_no_graph_breaks(model, batch):
    assert breaks(model, **batch) == (1, 0)
    assert breaks(model, batch["image"], batch["state"]) == (1, 0)
    assert breaks(Breaking(), batch["state"])[1] > 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")  # torch's own, when it compiles
@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_compiled_graph_computes_and_learns_the_same(model, batch, backend):
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    expected, found = model(**batch), compiled(**batch)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradients(model, found), gradients(model, expected), atol=1e-5, rtol=1e-4)


def test_a_sequential_model_has_no_graph_breaks(registry, batch):
    layers = [{"_type_": "block.mlp", "dims": [5, 8, 8]}, {"_type_": "nn.Dropout"}, {"_type_": "nn.Tanh"}]
    model = sequential({"inputs": ["x"], "layers": layers}, registry=registry)
    assert breaks(model, batch["state"]) == (1, 0)


def test_compilation_outlives_other_weights_and_another_batch_size_once(model, batch):
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(model, fullgraph=True, backend=counter, dynamic=True)
    compiled(**batch)
    with torch.no_grad():
        model.head.weight.zero_()
    half = {name: value[:2] for name, value in batch.items()}
    torch.testing.assert_close(compiled(**half), model(**half))
    assert counter.frame_count == 1


@pytest.mark.parametrize("strict", [True, False])
def test_a_graph_is_exported_with_an_open_batch_size(model, batch, strict):
    model.eval()
    size = torch.export.Dim("batch")
    program = torch.export.export(model, (), batch, dynamic_shapes={name: {0: size} for name in batch}, strict=strict)
    for rows in (1, 3, 8):
        other = {name: torch.cat([value, value])[:rows] for name, value in batch.items()}
        torch.testing.assert_close(program.module()(**other), model(**other))


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301
def test_a_copy_compiles_and_exports_as_its_original(model, batch, twin):
    copied = twin(model)
    assert copied.code == model.code
    assert breaks(copied, **batch) == (1, 0)
    torch.testing.assert_close(torch.export.export(copied, (), batch).module()(**batch), model(**batch))


@pytest.fixture
def process_group(tmp_path):
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def test_a_wrapped_graph_computes_learns_and_calls_its_hooks(model, batch, process_group):
    expected = model(**batch)
    alone = gradients(model, expected)
    wrapped = DistributedDataParallel(model)
    found = wrapped(**batch)
    torch.testing.assert_close(found, expected, atol=0, rtol=0)
    torch.testing.assert_close(gradients(model, found), alone)
    assert [name.removeprefix("module.") for name in wrapped.state_dict()] == list(model.state_dict())
    model.register_forward_hook(lambda module, args, outputs: outputs["mean"])
    torch.testing.assert_close(wrapped(**batch), expected["mean"])


def test_an_error_inside_a_wrapped_graph_says_where_it_was(model, batch, process_group):
    with pytest.raises(RuntimeError) as caught:
        DistributedDataParallel(model)(batch["image"], batch["state"][:, :3])
    assert "nodes[3] 'felt' (module 'state', block.mlp)" in caught.value.__notes__[0]
