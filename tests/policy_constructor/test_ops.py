"""Every operation beside torch's."""

import pytest
import torch

from ot_policy_constructor.frontends import graph

X = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4) - 11
Y = X.flip(0) / 7


@pytest.mark.parametrize(
    ("op", "args", "expected"),
    [
        ("add", ["$x", "$y"], X + Y),
        ("add", ["$x", 1], X + 1),
        ("sub", ["$x", "$y"], X - Y),
        ("mul", ["$x", "$y"], X * Y),
        ("div", ["$x", 3], X / 3),
        ("neg", ["$x"], -X),
        ("matmul", ["$x", "$t"], X @ Y.mT),
        ("getitem", ["$x", 1], X[1]),
        ("cat", [["$x", "$y"]], torch.cat([X, Y], 2)),
        ("cat", [["$x", "$y"], 0], torch.cat([X, Y], 0)),
        ("stack", [["$x", "$y"]], torch.stack([X, Y], 1)),
        ("identity", ["$x"], X),
        ("reshape", ["$x", [-1, 6]], X.reshape(4, 6)),
        ("flatten", ["$x"], X.reshape(2, 12)),
        ("squeeze", ["$u", 1], X),
        ("unsqueeze", ["$x", 1], X[:, None]),
        ("transpose", ["$x", 1, 2], X.mT),
        ("permute", ["$x", [2, 0, 1]], X.permute(2, 0, 1)),
        ("expand", ["$u", [-1, 5, -1, -1]], X[:, None].expand(2, 5, 3, 4)),
        ("split", ["$x", [1, 3]], X.split([1, 3], -1)),
        ("split", ["$x", 2], X.split(2, -1)),
        ("chunk", ["$x", 2], X.chunk(2, -1)),
        ("mean", ["$x"], X.mean()),
        ("mean", ["$x", [1, 2]], X.mean((1, 2))),
        ("sum", ["$x"], X.sum()),
        ("sum", ["$x", 1, True], X.sum(1, keepdim=True)),
        ("max", ["$x"], X.max()),
        ("max", ["$x", 1], X.max(1).values),
        ("softmax", ["$x"], X.softmax(-1)),
        ("relu", ["$x"], X.relu()),
        ("tanh", ["$x"], X.tanh()),
        ("clamp", ["$x", -2, 2], X.clamp(-2, 2)),
        ("clamp", ["$x", None, 2], X.clamp(max=2)),
    ],
)
def test_an_operation_in_a_graph_is_that_of_torch(registry, op, args, expected):
    names = [name for name in ("x", "y", "t", "u") if f"${name}" in str(args)]
    nodes = [{"name": "out", "call": f"op:{op}", "args": args}]
    model = graph({"inputs": names, "nodes": nodes, "outputs": ["$out"]}, registry=registry)
    tensors = {"x": X, "y": Y, "t": Y.mT, "u": X[:, None]}
    torch.testing.assert_close(model(**{name: tensors[name] for name in names}), expected, rtol=0, atol=0)


def test_no_gradient_flows_through_detach(registry):
    nodes = [
        {"name": "still", "call": "op:detach", "args": ["$x"]},
        {"name": "out", "call": "op:mul", "args": ["$x", "$still"]},
    ]
    model = graph({"inputs": ["x"], "nodes": nodes, "outputs": ["$out"]}, registry=registry)
    x = X.clone().requires_grad_()
    model(x).sum().backward()
    torch.testing.assert_close(x.grad, X)


def test_every_operation_that_is_advertised_is_tested(registry):
    marks = test_an_operation_in_a_graph_is_that_of_torch.pytestmark
    tested = {f"op.{parameters[0]}" for mark in marks for parameters in mark.args[1]} | {"op.detach"}
    advertised = {key for key in registry.keys("op") if registry.find(key).distribution == "ot-policy-constructor"}
    assert advertised == tested
