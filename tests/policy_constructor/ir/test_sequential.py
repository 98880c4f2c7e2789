"""Every rule of the sequential language, with a chain that keeps it and one that breaks it."""

import pytest

from ot_policy_constructor.ir import read_sequential

GOOD = {
    "inputs": ["x"],
    "layers": [{"_type_": "nn.Linear", "in_features": 2, "out_features": 3}, {"_type_": "nn.ReLU"}],
}


def problems(definition):
    return [(problem.path, problem.code) for problem in read_sequential(definition).problems]


@pytest.mark.parametrize("extra", [{}, {"return": "single"}, {"return": "tuple"}])
def test_a_good_chain_has_no_problems_and_tells_its_input(extra):
    reading = read_sequential(GOOD | extra)
    assert reading.problems == ()
    assert reading.inputs == ("x",)


@pytest.mark.parametrize(
    ("change", "where", "code"),
    [
        ({"inputs": ["x", "y"]}, "inputs", "too-many-inputs"),
        ({"inputs": []}, "", "missing-key"),
        ({"inputs": ["a b"]}, "inputs[0]", "bad-name"),
        ({"layers": []}, "", "missing-key"),
        ({"layers": {"a": {"_type_": "nn.ReLU"}}}, "layers", "wrong-type"),
        ({"layers": [{"_type_": "nn.ReLU"}, {}]}, "layers[1]", "missing-key"),
        ({"layers": ["nn.ReLU"]}, "layers[0]", "wrong-type"),
        ({"return": "dict"}, "return", "bad-return"),
        ({"return": "triple"}, "return", "bad-return"),
        ({"layer": []}, "layer", "unknown-key"),
    ],
)
def test_what_the_language_forbids_is_found_where_it_stands(change, where, code):
    assert problems(GOOD | change) == [(where, code)]
