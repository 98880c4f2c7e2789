"""`compile_ir`: from a definition to its representation, or to everything that is wrong with it."""

import subprocess
import sys

import pytest

from offline_trainer_core.errors import ConfigError
from ot_policy_constructor import compile_ir
from ot_policy_constructor.ir import GraphIR, Reference, SequentialIR

SEQUENTIAL = {"sequential": {"inputs": ["x"], "layers": [{"_type_": "nn.ReLU"}, {"_type_": "nn.Tanh"}]}}


def problems_of(model):
    with pytest.raises(ConfigError) as caught:
        compile_ir(model)
    return [(problem.config_path, problem.code) for problem in caught.value.problems]


def test_a_model_section_and_a_model_file_say_the_same():
    assert isinstance(compile_ir(SEQUENTIAL), SequentialIR)
    assert compile_ir({"schema_version": 1, "model": SEQUENTIAL}) == compile_ir(SEQUENTIAL)


def test_a_chain_is_the_graph_that_calls_its_layers_one_after_the_other():
    graph = compile_ir(SEQUENTIAL).as_graph()
    by_hand = {
        "inputs": ["x"],
        "modules": {"zero": {"_type_": "nn.ReLU"}, "one": {"_type_": "nn.Tanh"}},
        "steps": [
            {"call": "module:zero", "args": ["$x"], "out": "x_0"},
            {"call": "module:one", "args": ["$x_0"], "out": "x_1"},
        ],
        "outputs": ["$x_1"],
    }
    expected = compile_ir({"graph": by_hand})
    assert [node.args for node in graph.nodes] == [node.args for node in expected.nodes]
    assert (graph.inputs, graph.outputs, graph.returns) == (expected.inputs, expected.outputs, expected.returns)


def test_values_and_literals_are_told_apart():
    args = ["$x", "$$x", ["$x", {"k": "$x"}], 1, None]
    graph = {"inputs": ["x"], "nodes": [{"name": "y", "call": "op:f", "args": args}], "outputs": {"y": "$y"}}
    ir = compile_ir({"graph": graph})
    x = Reference("x")
    assert isinstance(ir, GraphIR)
    assert ir.nodes[0].args == (x, "$x", [x, {"k": x}], 1, None)
    assert ir.returns == "dict"


def test_the_representation_does_not_change_with_the_definition_it_came_from():
    layers = [{"_type_": "block.mlp", "dims": [1, 2]}]
    ir = compile_ir({"sequential": {"inputs": ["x"], "layers": layers}})
    layers[0]["dims"].append(3)
    assert ir.layers[0]["dims"] == [1, 2]


def test_problems_carry_their_whole_path():
    graph = {"inputs": ["x"], "nodes": [{"name": "y", "call": "op:f", "args": ["$z", "$x"]}], "outputs": ["$y"]}
    assert problems_of({"graph": graph}) == [("model.graph.nodes[0].args[0]", "unknown-value")]


@pytest.mark.parametrize(
    ("model", "where", "code"),
    [
        ({"model": SEQUENTIAL}, "schema_version", "schema-version"),
        ({"schema_version": 2, "model": SEQUENTIAL}, "schema_version", "schema-version"),
        ({"schema_version": 1, "model": SEQUENTIAL, "run": {}}, "run", "unknown-key"),
        ({"schema_version": 1, "model": {}}, "model", "one-form"),
        ({**SEQUENTIAL, "graph": {}}, "model", "one-form"),
        ({"sequentail": {}}, "model.sequentail", "unknown-key"),
        ([], "model", "wrong-type"),
    ],
)
def test_a_model_has_one_frontend_and_a_file_has_its_version(model, where, code):
    assert problems_of(model) == [(where, code)]


def test_reading_a_definition_loads_no_torch():
    code = "import sys; from ot_policy_constructor.ir import read_graph; read_graph({}); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
