"""Any directed acyclic graph computes what following its definition step by step computes."""

import operator

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ot_policy_constructor.frontends import graph
from ot_policy_constructor.ir import read_graph

OPERATIONS = {
    "op:add": (2, operator.add),
    "op:sub": (2, operator.sub),
    "op:mul": (2, operator.mul),
    "op:tanh": (1, torch.tanh),
    "op:neg": (1, operator.neg),
    "op:identity": (1, lambda x: x),
}


@st.composite
def definitions(draw):
    """Draw a graph in which every value is used: those that no node takes are returned."""
    inputs = [f"in_{index}" for index in range(draw(st.integers(1, 3)))]
    values, nodes = list(inputs), []
    for index in range(draw(st.integers(1, 12))):
        call = draw(st.sampled_from([*OPERATIONS, "module:first", "module:second"]))
        arity = OPERATIONS[call][0] if call in OPERATIONS else 1
        args = [f"${draw(st.sampled_from(values))}" for _ in range(arity)]
        nodes.append({"name": f"v{index}", "call": call, "args": args})
        values.append(f"v{index}")
    taken = {name for node in nodes for name in node["args"]}
    outputs = [f"${name}" for name in values if f"${name}" not in taken]
    called = {node["call"].removeprefix("module:") for node in nodes}
    linear = {"_type_": "nn.Linear", "in_features": 3, "out_features": 3}
    modules = {name: linear for name in ("first", "second") if name in called}
    return {"inputs": inputs, "modules": modules, "nodes": nodes, "outputs": outputs, "return": "tuple"}


def follow(definition, model, inputs):
    """Compute the outputs node by node."""
    values = dict(zip(definition["inputs"], inputs, strict=True))
    for node in definition["nodes"]:
        args = [values[name[1:]] for name in node["args"]]
        kind, name = node["call"].split(":")
        function = getattr(model, name) if kind == "module" else OPERATIONS[node["call"]][1]
        values[node["name"]] = function(*args)
    return tuple(values[name[1:]] for name in definition["outputs"])


@settings(max_examples=60, deadline=None)
@given(definition=definitions(), data=st.data())
def test_a_random_graph_computes_what_its_definition_says(registry, definition, data):
    model = graph(definition, registry=registry)
    inputs = [torch.randn(2, 3) for _ in definition["inputs"]]
    assert model.state_dict().keys() == {f"{m}.{p}" for m in definition["modules"] for p in ("weight", "bias")}
    torch.testing.assert_close(model(*inputs), follow(definition, model, inputs), rtol=0, atol=0)


@settings(max_examples=60, deadline=None)
@given(definition=definitions(), data=st.data())
def test_a_random_graph_with_two_nodes_swapped_is_right_only_if_they_are_independent(definition, data):
    nodes = definition["nodes"]
    index = data.draw(st.integers(0, len(nodes) - 1))
    swapped = [*nodes[:index], *reversed(nodes[index : index + 2]), *nodes[index + 2 :]]
    depends = index + 1 < len(nodes) and f"${nodes[index]['name']}" in nodes[index + 1]["args"]
    codes = {problem.code for problem in read_graph(definition | {"nodes": swapped}).problems}
    assert codes == ({"forward-reference"} if depends else set())
