"""Every rule of the graph language, with a graph that keeps it and one that breaks it."""

import copy

import pytest

from ot_policy_constructor.ir import read_graph

GOOD = {
    "inputs": ["obs", "act"],
    "modules": {"trunk": {"_type_": "block.mlp", "dims": [4, 8]}, "head": {"_type_": "nn.Linear"}},
    "nodes": [
        {"name": "h", "call": "module:trunk", "args": ["$obs"]},
        {"name": "both", "call": "op:cat", "args": [["$h", "$act"]], "kwargs": {"dim": -1}},
        {"name": "q", "call": "module:head", "args": ["$both"]},
    ],
    "outputs": ["$q"],
}


def changed(place, value):
    """Return the good graph with `value` at the dotted `place`; `...` takes the place away."""
    graph = copy.deepcopy(GOOD)
    *parents, last = place.split("/")
    part = graph
    for key in parents:
        part = part[int(key) if isinstance(part, list) else key]
    last = int(last) if isinstance(part, list) else last
    if value is ...:
        del part[last]
    elif isinstance(part, list) and last == len(part):
        part.append(value)
    else:
        part[last] = value
    return graph


def problems(graph):
    return [(problem.path, problem.code) for problem in read_graph(graph).problems]


def the_problem(graph):
    (problem,) = read_graph(graph).problems
    return problem


def test_a_good_graph_has_no_problems_and_tells_its_inputs_and_operations():
    reading = read_graph(GOOD)
    assert reading.problems == ()
    assert reading.inputs == ("obs", "act")
    assert reading.references == (("nodes[1].call", "op.cat"),)


def test_a_reader_tells_which_inputs_may_be_left_out():
    reading = read_graph(GOOD | {"inputs": ["obs", {"act": None}]})
    assert (reading.problems, reading.inputs, reading.optional) == ((), ("obs", "act"), ("act",))
    assert problems(GOOD | {"inputs": [{"obs": None}, "act"]}) == [("inputs[0]", "wrong-type")]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("outputs", {"q": "$q", "hidden": "$h"}),
        ("outputs", ["$q", "$h"]),
        ("return", "single"),
        ("return", "tuple"),
        ("nodes/0/out", "h"),
        ("nodes/1/kwargs/label", "$$literal"),
        ("nodes/1/args", [[{"deep": ["$h"]}, "$act"]]),
    ],
)
def test_what_the_language_allows_passes(place, value):
    assert problems(changed(place, value)) == []


@pytest.mark.parametrize("out", [["mean", "unused"], {"mean": "mean", "std": "unused"}])
def test_of_the_parts_of_a_value_one_is_enough_to_use(out):
    graph = changed("nodes/3", {"call": "op:chunk", "args": ["$q", 2], "out": out})
    assert problems(graph | {"outputs": ["$mean"]}) == []
    assert problems(graph) == [("nodes[3]", "unused-value")]


@pytest.mark.parametrize(
    ("place", "value", "where", "code"),
    [
        ("inputs", ..., "", "missing-key"),
        ("inputs", "obs", "inputs", "wrong-type"),
        ("inputs/0", "2d", "inputs[0]", "bad-name"),
        ("inputs/0", "lambda", "inputs[0]", "bad-name"),
        ("inputs/0", "self", "inputs[0]", "bad-name"),
        ("inputs/0", 3, "inputs[0]", "wrong-type"),
        ("inputs/2", "act", "inputs[2]", "duplicate-name"),
        ("inputs/2", "goal", "inputs[2]", "unused-input"),
        ("modules/trunk/_type_", "cb.progress", "modules.trunk._type_", "wrong-kind"),
        ("modules", [], "modules", "wrong-type"),
        ("modules/trunk", {"dims": [4, 8]}, "modules.trunk", "missing-key"),
        ("modules/trunk", "block.mlp", "modules.trunk", "wrong-type"),
        ("modules/trunk/_type_", 1, "modules.trunk._type_", "wrong-type"),
        ("modules/dead", {"_type_": "nn.ReLU"}, "modules.dead", "unused-module"),
        ("modules/a b", {"_type_": "nn.ReLU"}, 'modules["a b"]', "bad-name"),
        ("nodes/0/call", ..., "nodes[0]", "missing-key"),
        ("nodes/0/call", "trunk", "nodes[0].call", "bad-call"),
        ("nodes/0/call", "module:trnk", "nodes[0].call", "unknown-module"),
        ("nodes/0/name", ..., "nodes[0]", "missing-key"),
        ("nodes/0/arg", 1, "nodes[0].arg", "unknown-key"),
        ("nodes/0/args", "$obs", "nodes[0].args", "wrong-type"),
        ("nodes/0/args/0", "$late-r", "nodes[0].args[0]", "bad-reference"),
        ("nodes/0/args/0", "$obz", "nodes[0].args[0]", "unknown-value"),
        ("nodes/0/args/1", ["$q"], "nodes[0].args[1][0]", "forward-reference"),
        ("nodes/0/args/1", {"deep": "$h"}, "nodes[0].args[1].deep", "forward-reference"),
        ("nodes/1/kwargs", [], "nodes[1].kwargs", "wrong-type"),
        ("nodes/1/kwargs/x=print()", 1, "nodes[1].kwargs", "bad-name"),
        ("nodes/0/args/1", {"deep": [object()]}, "nodes[0].args[1].deep[0]", "wrong-type"),
        ("nodes/0/args/1", {(1, 2): 3}, "nodes[0].args[1]", "wrong-type"),
        ("nodes/0/out", ["h", "act"], "nodes[0].out[1]", "duplicate-name"),
        ("nodes/0/out", {"a": "h", "b": "act"}, "nodes[0].out.b", "duplicate-name"),
        ("nodes/0/out", "act", "nodes[0].out", "duplicate-name"),
        ("nodes/0/name", "act", "nodes[0].name", "duplicate-name"),
        ("nodes/0/out", [], "nodes[0].out", "wrong-type"),
        ("nodes/0/out", ["h", "1"], "nodes[0].out[1]", "bad-name"),
        ("nodes/0/out", {"key": "h", "other": "$x"}, "nodes[0].out.other", "bad-name"),
        ("nodes/3", {"name": "h", "call": "op:neg", "args": ["$q"], "out": "g"}, "nodes[3]", "duplicate-name"),
        ("nodes/3", {"name": "g", "call": "op:neg", "args": ["$q"]}, "nodes[3]", "unused-value"),
        ("nodes/3", "op:neg", "nodes[3]", "wrong-type"),
        ("nodes", ..., "", "missing-key"),
        ("steps", [], "steps", "conflicting-keys"),
        ("order", ["h"], "order", "conflicting-keys"),
        ("outputs", ..., "", "missing-key"),
        ("outputs", "$q", "outputs", "wrong-type"),
        ("outputs/0", "q", "outputs[0]", "bad-reference"),
        ("outputs/0", "$qq", "outputs[0]", "unknown-value"),
        ("return", "dict", "return", "bad-return"),
        ("return", "list", "return", "bad-return"),
        ("extra", 1, "extra", "unknown-key"),
        ("a.b [0], \u2066x", 1, '["a.b [0], \u2066x"]', "unknown-key"),
        ("nodes/0/args/1", {"a b": "$q"}, 'nodes[0].args[1]["a b"]', "forward-reference"),
    ],
)
def test_what_the_language_forbids_is_found_where_it_stands(place, value, where, code):
    assert (where, code) in problems(changed(place, value))


@pytest.mark.parametrize(
    ("place", "value", "suggestion"),
    [
        ("nodes/0/call", "module:trnk", "module:trunk"),
        ("nodes/0/call", "trunk", "module:trunk"),
        ("nodes/0/call", "relu", "op:relu"),
        ("nodes/0/args/0", "$obz", "$obs"),
        ("nodes/0/argz", [], "args"),
        ("outputs/0", "q", "$q"),
        ("outputs", "$q", "[$q]"),
        ("modules/trunk", "block.mlp", "{_type_: block.mlp}"),
        ("inputs/0", "$obs", "obs"),
        ("return", "touple", "tuple"),
    ],
)
def test_a_misspelling_is_answered_with_what_was_meant(place, value, suggestion):
    assert suggestion in [problem.suggestion for problem in read_graph(changed(place, value)).problems]


@pytest.mark.parametrize(("place", "value"), [("nodes/0/call", "module:trnk"), ("nodes/0/args/0", "$obz")])
def test_a_misspelling_is_reported_once_and_not_again_as_something_unused(place, value):
    the_problem(changed(place, value))


@pytest.mark.parametrize("key", ["call", "name", "args"])
def test_what_stands_under_a_misspelled_key_is_read_all_the_same(key):
    node = {key[:-1] if name == key else name: value for name, value in GOOD["nodes"][0].items()}
    problem = the_problem(changed("nodes/0", node))
    assert (problem.path, problem.suggestion) == (f"nodes[0].{key[:-1]}", key)


def test_a_forward_reference_names_the_node_that_makes_the_value():
    graph = changed("nodes/0/args/1", "$both")
    assert "is made by 'both'" in the_problem(graph).message


def test_a_value_called_by_the_name_of_its_node_is_suggested():
    graph = changed("nodes/0/out", "features")
    assert the_problem(graph) == read_graph(graph).problems[0]
    assert the_problem(graph).suggestion == "$features"


def test_all_problems_are_reported_at_once():
    graph = changed("nodes/0/args/0", "$obz") | {"outputs": ["$q", "h"], "extra": 1, "return": "dict"}
    assert problems(graph) == [
        ("extra", "unknown-key"),
        ("outputs[1]", "bad-reference"),
        ("return", "bad-return"),
        ("nodes[0].args[0]", "unknown-value"),
    ]


def test_nodes_as_a_mapping_run_in_the_order_that_they_are_given():
    named = {node["name"]: {key: value for key, value in node.items() if key != "name"} for node in GOOD["nodes"]}
    backwards = dict(reversed(named.items()))
    graph = GOOD | {"nodes": backwards, "order": ["h", "both", "q"]}
    assert problems(graph) == []
    assert ("nodes.q.args[0]", "forward-reference") in problems(graph | {"order": ["q", "h", "both"]})


@pytest.mark.parametrize(
    ("order", "where", "code"),
    [
        (None, "nodes", "missing-key"),
        (["h", "both"], "order", "missing-node"),
        (["h", "both", "q", "h"], "order[3]", "duplicate-name"),
        (["h", "bth", "both", "q"], "order[1]", "unknown-node"),
    ],
)
def test_the_order_of_named_nodes_names_each_of_them_once(order, where, code):
    named = {node["name"]: {key: value for key, value in node.items() if key != "name"} for node in GOOD["nodes"]}
    graph = GOOD | {"nodes": named} | ({} if order is None else {"order": order})
    assert problems(graph) == [(where, code)]


def test_a_named_node_has_no_second_name():
    named = {node["name"]: node for node in GOOD["nodes"]}
    graph = GOOD | {"nodes": named, "order": ["h", "both", "q"]}
    assert ("nodes.h.name", "conflicting-keys") in problems(graph)


def test_steps_are_nodes_that_say_what_they_make():
    steps = [{"out" if key == "name" else key: value for key, value in node.items()} for node in GOOD["nodes"]]
    graph = {key: value for key, value in GOOD.items() if key != "nodes"}
    assert problems(graph | {"steps": steps}) == []
    assert ("steps[0]", "missing-key") in problems(graph | {"steps": GOOD["nodes"]})


@pytest.mark.parametrize("definition", [None, [], "graph", 3])
def test_what_is_no_mapping_at_all_is_said_to_be_none(definition):
    assert ("", "wrong-type") in problems(definition)
