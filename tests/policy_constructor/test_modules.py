"""What the frontends say about components, and components of others."""

import pytest
import torch
from torch import nn

from offline_trainer_core import ComponentError, ConfigError
from ot_policy_constructor.frontends import graph, sequential


def chain(*layers):
    return {"inputs": ["x"], "layers": list(layers)}


def problems_of(frontend, definition, registry):
    with pytest.raises(ConfigError) as caught:
        frontend(definition, registry=registry)
    return [(problem.config_path, problem.code, problem.suggestion) for problem in caught.value.problems]


class Scale(nn.Module):
    """A block of somebody else's, which holds another module."""

    def __init__(self, factor, inner=None):
        super().__init__()
        self.factor = factor
        self.inner = inner or nn.Identity()

    def forward(self, x):
        return self.inner(x) * self.factor


def test_local_blocks_and_operations_are_used_like_built_in_ones(own_registry):
    own_registry.register_module("block.local.scale", Scale)
    own_registry.register_op("local.shift", lambda x, by: x + by)
    inner = {"_type_": "nn.Linear", "in_features": 2, "out_features": 3}
    definition = {
        "inputs": ["x"],
        "modules": {"scale": {"_type_": "block.local.scale", "factor": 2.0, "inner": inner}},
        "steps": [
            {"call": "module:scale", "args": ["$x"], "out": "h"},
            {"call": "op:local.shift", "args": ["$h"], "kwargs": {"by": 1.0}, "out": "y"},
        ],
        "outputs": ["$y"],
    }
    model = graph(definition, registry=own_registry)
    x = torch.randn(4, 2)
    assert list(model.state_dict()) == ["scale.inner.weight", "scale.inner.bias"]
    assert torch.equal(model(x), model.scale.inner(x) * 2.0 + 1.0)


def test_an_operation_is_a_function_with_a_name(own_registry, tmp_path, monkeypatch):
    source = "import functools, operator; half = functools.partial(operator.mul, 0.5)"
    (tmp_path / "operations_of_mine.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    own_registry.register_op("local.half", "operations_of_mine:half")
    steps = [{"call": "op:local.half", "args": ["$x"], "out": "y"}]
    with pytest.raises(ComponentError, match=r"op\.local\.half must be a function with a name, and it is a partial"):
        graph({"inputs": ["x"], "steps": steps, "outputs": ["$y"]}, registry=own_registry)


def test_every_unknown_component_is_named_at_its_place(registry):
    definition = {
        "inputs": ["x"],
        "modules": {"a": {"_type_": "nn.Liner"}, "b": {"_type_": "block.mlp", "dims": [{"_type_": "nn.Relu"}]}},
        "steps": [
            {"call": "module:a", "args": ["$x"], "out": "h"},
            {"call": "module:b", "args": ["$h"], "out": "g"},
            {"call": "op:ad", "args": ["$g", "$g"], "out": "y"},
        ],
        "outputs": ["$y"],
    }
    assert problems_of(graph, definition, registry) == [
        ("model.graph.steps[2].call", "unknown-component", "op.add"),
        ("model.graph.modules.a._type_", "unknown-component", "nn.Linear"),
        ("model.graph.modules.b.dims[0]._type_", "unknown-component", "nn.ReLU"),
    ]


def test_what_is_not_a_module_cannot_be_a_layer(own_registry):
    own_registry.register_module("block.local.list", list)
    definition = chain({"_type_": "block.local.list"}, {"_type_": "nn.ReLU"}, {"_type_": "block.local.list"})
    assert problems_of(sequential, definition, own_registry) == [
        ("model.sequential.layers[0]", "not-a-module", None),
        ("model.sequential.layers[2]", "not-a-module", None),
    ]


@pytest.mark.parametrize("name", ["forward", "train", "training", "code"])
def test_a_module_cannot_take_the_name_of_an_attribute(registry, name):
    steps = [{"call": f"module:{name}", "args": ["$x"], "out": "y"}]
    definition = {"inputs": ["x"], "modules": {name: {"_type_": "nn.ReLU"}}, "steps": steps, "outputs": ["$y"]}
    assert problems_of(graph, definition, registry) == [
        (f"model.graph.modules.{name}", "reserved-name", f"{name}_"),
    ]


def test_arguments_that_a_component_refuses_are_reported_with_their_place(registry):
    with pytest.raises(ComponentError, match=r"model\.sequential\.layers\[0\].*nn\.Linear.*out_featurs"):
        sequential(chain({"_type_": "nn.Linear", "in_features": 2, "out_featurs": 3}), registry=registry)
