"""`build_model`: the policy constructor without a trainer."""

import pytest
import torch

from offline_trainer_core import ConfigError
from ot_policy_constructor import build_model

GOOD = """\
schema_version: 1
templates:
  layer: {_type_: nn.Linear, out_features: 8}
model:
  graph:
    inputs: [obs]
    modules:
      body: {_template_: layer, in_features: null}
      head: {_type_: block.mlp, dims: [8, 2]}
    nodes:
      - {name: h, call: "module:body", args: [$obs]}
      - {name: action, call: "module:head", args: [$h]}
    outputs: {action: $action}
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "policy.yaml"
        path.write_text(text)
        return path

    return write


def test_a_file_becomes_a_module(file):
    model = build_model(file(GOOD))
    assert model(obs=torch.zeros(3, 5))["action"].shape == (3, 2)
    assert isinstance(model.body, torch.nn.Linear)


def test_a_file_may_have_parameters(file):
    text = GOOD.replace("templates:", "params: {width: 5}\ntemplates:").replace("[8, 2]", "[8, '${params.width}']")
    assert build_model(file(text))(obs=torch.zeros(3, 5))["action"].shape == (3, 5)


def test_a_mapping_stands_for_the_content_of_a_file(registry):
    layers = [{"_type_": "nn.Linear", "in_features": 5, "out_features": 2}]
    model = build_model(
        {"schema_version": 1, "model": {"sequential": {"inputs": ["x"], "layers": layers}}}, registry=registry
    )
    assert model(torch.zeros(3, 5)).shape == (3, 2)


def test_frontends_of_others_build_models_too(own_registry):
    own_registry.register_module(
        "frontend.local", lambda definition, *, registry: torch.nn.Linear(*definition["sizes"])
    )
    model = build_model({"schema_version": 1, "model": {"local": {"sizes": [5, 2]}}}, registry=own_registry)
    assert model(torch.zeros(3, 5)).shape == (3, 2)


@pytest.mark.parametrize(
    ("right", "wrong", "code", "token"),
    [
        ("[$h]", "[$g]", "unknown-value", "$g"),
        ("outputs:", "output:", "unknown-key", "output:"),
        ("block.mlp", "block.mpl", "unknown-component", "block.mpl"),
        ("graph:", "grpah:", "unknown-key", "grpah:"),
        ("schema_version: 1", "schema_version: 2", "schema-version", "2"),
        ("nn.Linear", "nn.LayerNorm, normalized_shape: null", "not-lazy", "null"),
    ],
)
def test_a_problem_is_shown_where_it_stands_in_the_file(file, right, wrong, code, token):
    text = GOOD.replace(right, wrong)
    path = file(text)
    with pytest.raises(ConfigError) as caught:
        build_model(path)
    before = text[: text.index(token)].split("\n")
    location = next(problem.location for problem in caught.value.problems if problem.code == code)
    assert location == (str(path), len(before), len(before[-1]) + 1)
