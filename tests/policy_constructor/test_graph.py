"""Graph models beside the same models written by hand."""

import copy
import inspect
import pickle

import pytest
import torch
from torch import fx, nn

from offline_trainer_core import ComponentError
from ot_policy_constructor.frontends import graph

CRITIC = {
    "inputs": ["obs", "act"],
    "modules": {
        "trunk": {"_type_": "block.mlp", "dims": [5, 16, 8], "norm": "LayerNorm"},
        "head": {"_type_": "nn.Linear", "in_features": 8, "out_features": 4},
    },
    "nodes": [
        {"call": "op:cat", "args": [["$obs", "$act"]], "out": "x"},
        {"name": "h", "call": "module:trunk", "args": ["$x"]},
        {"name": "y", "call": "module:head", "args": ["$h"]},
        {"name": "parts", "call": "op:chunk", "args": ["$y"], "kwargs": {"chunks": 2}, "out": ["mean", "log_std"]},
        {"name": "bounded", "call": "op:clamp", "args": ["$log_std"], "kwargs": {"min": -5.0, "max": 2.0}},
    ],
    "outputs": {"mean": "$mean", "log_std": "$bounded"},
}


class Critic(nn.Module):
    """What `CRITIC` says, by hand."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 16), nn.LayerNorm(16), nn.ReLU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 4)

    def forward(self, obs, act):
        y = self.head(self.trunk(torch.cat([obs, act], -1)))
        mean, log_std = y.chunk(2, -1)
        return {"mean": mean, "log_std": log_std.clamp(-5.0, 2.0)}


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return {"obs": torch.randn(7, 3, generator=generator), "act": torch.randn(7, 2, generator=generator)}


@pytest.fixture
def model(registry):
    torch.manual_seed(0)
    return graph(CRITIC, registry=registry)


def assert_same(left, right):
    torch.testing.assert_close(left, right, rtol=0, atol=0)


def test_a_graph_computes_what_the_same_module_written_by_hand_computes(model, batch):
    by_hand = Critic()
    by_hand.load_state_dict(model.state_dict())
    ours, theirs = model(**batch), by_hand(**batch)
    assert_same(ours, theirs)
    for outputs in (ours, theirs):
        (outputs["mean"].square().sum() + outputs["log_std"].sum()).backward()
    for (name, left), (twin, right) in zip(model.named_parameters(), by_hand.named_parameters(), strict=True):
        assert name == twin
        assert_same(left.grad, right.grad)
        assert right.grad.abs().sum() > 0


def test_inputs_go_by_name_or_by_position(model, batch):
    assert str(inspect.signature(model.forward)) == "(obs, act)"
    assert_same(model(**batch), model(batch["obs"], batch["act"]))
    with pytest.raises(TypeError, match="action"):
        model(obs=batch["obs"], action=batch["act"])


def test_parameters_stand_in_the_order_in_which_the_modules_are_declared(registry):
    declared = {"modules": dict(reversed(CRITIC["modules"].items()))}
    model = graph(CRITIC | declared, registry=registry)
    assert [name for name, _ in model.named_children()] == ["head", "trunk"]


def test_two_calls_of_a_module_share_its_weights(registry):
    twice = {
        "inputs": ["a", "b"],
        "modules": {"encode": {"_type_": "nn.Linear", "in_features": 3, "out_features": 3}},
        "steps": [
            {"call": "module:encode", "args": ["$a"], "out": "left"},
            {"call": "module:encode", "args": ["$b"], "out": "right"},
            {"call": "op:sub", "args": ["$left", "$right"], "out": "difference"},
        ],
        "outputs": ["$difference"],
    }
    model = graph(twice, registry=registry)
    assert list(model.state_dict()) == ["encode.weight", "encode.bias"]
    a, b = torch.randn(2, 4, 3)
    assert_same(model(a, b), model.encode(a) - model.encode(b))
    model(a, b).sum().backward()
    assert_same(model.encode.bias.grad, torch.zeros(3))
    torch.testing.assert_close(model.encode.weight.grad, (a - b).sum(0).expand(3, 3))


@pytest.mark.parametrize(
    ("outputs", "form", "expected"),
    [
        (["$x"], None, lambda x: x),
        (["$x"], "tuple", lambda x: (x,)),
        (["$x", "$y"], None, lambda x: (x, -x)),
        ({"x": "$x", "y": "$y"}, None, lambda x: {"x": x, "y": -x}),
    ],
)
def test_outputs_come_in_the_form_that_was_asked_for(registry, outputs, form, expected):
    nodes = [{"name": "y", "call": "op:neg", "args": ["$x"]}] if len(outputs) == 2 else []
    definition = {"inputs": ["x"], "nodes": nodes, "outputs": outputs, "return": form}
    x = torch.randn(3)
    returned = graph(definition, registry=registry)(x)
    assert type(returned) is type(expected(x))
    assert_same(returned, expected(x))


def test_arguments_may_be_nested_and_literal(own_registry):
    def gather(parts, *, scale, label):
        return parts["pair"][0] * scale + parts["pair"][1] * len(label)

    own_registry.register_op("gather", gather)
    definition = {
        "inputs": ["a", "b"],
        "nodes": [
            {
                "name": "y",
                "call": "op:gather",
                "args": [{"pair": ["$a", "$b"], "rest": [None, True, 1.5]}],
                "kwargs": {"scale": "$b", "label": "$$ab"},
            }
        ],
        "outputs": ["$y"],
    }
    a, b = torch.randn(2, 4)
    assert_same(graph(definition, registry=own_registry)(a, b), a * b + b * 3)


def test_text_in_a_definition_is_never_run_as_code(registry, tmp_path):
    target = tmp_path / "written"
    text = f"'); open({str(target)!r}, 'w'); ('"
    nodes = [{"name": "y", "call": "op:identity", "args": [{text: [text, "$x"]}]}]
    model = graph({"inputs": ["x"], "nodes": nodes, "outputs": ["$y"]}, registry=registry)
    assert model(torch.zeros(1))[text][0] == text
    assert not target.exists()


def test_names_of_inputs_may_be_names_of_builtins(registry):
    nodes = [{"name": "sum", "call": "op:sub", "args": ["$input", "$max"]}]
    model = graph({"inputs": ["input", "max"], "nodes": nodes, "outputs": ["$sum"]}, registry=registry)
    x, y = torch.randn(2, 3)
    assert_same(model(input=x, max=y), x - y)


def pickled(model):
    return pickle.loads(pickle.dumps(model))  # noqa: S301 - bytes of our own


@pytest.mark.parametrize("twin", [copy.deepcopy, copy.copy, pickled])
def test_a_copy_computes_the_same(model, batch, twin):
    model.register_forward_hook(_double, with_kwargs=True)
    without_hook = model.forward(**batch)
    model.eval()
    copied = twin(model)
    assert not copied.training
    assert str(inspect.signature(copied.forward)) == "(obs, act)"
    assert_same(copied(**batch), model(**batch))
    assert_same(copied(**batch)["mean"], 2 * without_hook["mean"])


def _double(module, args, kwargs, outputs):
    return {name: 2 * value for name, value in outputs.items()}


def test_a_deep_copy_has_weights_of_its_own(model, batch):
    copied = copy.deepcopy(model)
    with torch.no_grad():
        copied.head.weight.zero_()
    assert model.head.weight.abs().sum() > 0
    assert not torch.equal(copied(**batch)["mean"], model(**batch)["mean"])


def test_a_graph_can_be_traced(model, batch):
    assert_same(fx.symbolic_trace(model)(**batch), model(**batch))


def test_a_graph_can_be_exported(model, batch):
    dynamic = {name: {0: torch.export.Dim("batch")} for name in batch}
    exported = torch.export.export(model, (), batch, dynamic_shapes=dynamic)
    larger = {name: torch.cat([value, value]) for name, value in batch.items()}
    torch.testing.assert_close(exported.module()(**larger), model(**larger))


def test_a_graph_can_be_called_with_other_weights(model, batch):
    zeros = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    assert torch.func.functional_call(model, zeros, kwargs=batch)["mean"].abs().sum() == 0


def test_an_error_in_a_node_says_where_in_the_model_and_with_which_shapes(model, batch):
    with pytest.raises(RuntimeError) as caught:
        model(obs=batch["obs"][:, :2], act=batch["act"])
    assert caught.value.__notes__ == [
        "in model.graph.nodes[1] 'h' (module 'trunk', block.mlp), called with x (7, 4) float32"
    ]
    with pytest.raises(RuntimeError) as caught:
        model(obs=batch["obs"][:3], act=batch["act"])
    assert caught.value.__notes__ == [
        "in model.graph.nodes[0] 'x' (op.cat), called with obs (3, 3) float32, act (7, 2) float32"
    ]


def test_an_error_before_any_node_has_no_note(model):
    with pytest.raises(TypeError) as caught:
        model()
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"call": "op:chunk", "args": ["$x", 3]}, r"2 names \(a, b\), and there came 3 parts"),
        ({"call": "op:neg", "args": ["$x"]}, "there came one Tensor"),
    ],
)
def test_a_value_with_other_than_the_named_parts_is_refused(registry, call, message):
    definition = {"inputs": ["x"], "nodes": [call | {"out": ["a", "b"]}], "outputs": ["$a", "$b"]}
    with pytest.raises(ComponentError, match=message) as caught:
        graph(definition, registry=registry)(torch.zeros(2, 6))
    assert "nodes[0] 'a_b'" in caught.value.__notes__[0]


def test_a_mapping_is_taken_apart_by_key(registry):
    inner = {
        "name": "dict",
        "call": "op:identity",
        "args": [{"mean": "$x", "std": 3}],
        "out": {"mean": "m", "std": "s"},
    }
    scaled = {"name": "y", "call": "op:mul", "args": ["$m", "$s"]}
    model = graph({"inputs": ["x"], "nodes": [inner, scaled], "outputs": ["$y"]}, registry=registry)
    assert_same(model(torch.ones(2)), torch.full((2,), 3.0))
