"""Codebooks, experts, heads and ensembles as a model file names them: gradients, copies, compiling, export."""

import copy
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from ot_policy_constructor import build_model


def numbers(*shape):
    return torch.randn(64, *shape, generator=torch.Generator().manual_seed(len(shape)))


class Case(NamedTuple):
    """A block, its arguments, and 64 samples of its inputs."""

    key: str
    arguments: dict[str, Any]
    inputs: dict[str, Tensor]

    def __str__(self):
        return "-".join([self.key, *(f"{name}={value}" for name, value in list(self.arguments.items())[1:])])


FEATURES = {"features": numbers(6)}
CASES = [
    Case("vq_codebook", {"dim": 6, "codes": 16}, {"x": numbers(5, 6)}),
    Case("mixture_of_experts", {"dims": [None, 8, 6], "experts": 4}, {"x": numbers(5, 6)}),
    Case("mixture_of_experts", {"dims": [None, 6], "top_k": 1, "capacity_factor": 1.0}, {"x": numbers(5, 6)}),
    Case("deterministic_head", {"action_shape": [4, 2]}, FEATURES),
    Case("gaussian_head", {"action_shape": [4, 2]}, FEATURES),
    Case("gaussian_head", {"action_shape": [2], "log_std": "free"}, FEATURES),
    Case("tanh_gaussian_head", {"action_shape": [4, 2], "log_std_bounds": [-3.0, 1.0]}, FEATURES),
    Case("mixture_head", {"action_shape": [4, 2], "components": 3}, FEATURES),
    Case("mixture_head", {"action_shape": [2], "low_noise_eval": False}, FEATURES),
    Case("categorical_head", {"action_shape": [4, 2], "bins": 8, "low": [-1, -2], "high": 3}, FEATURES),
    Case("q_ensemble", {"members": 3, "hidden": [8, 8]}, {"observation": numbers(5, 3), "action": numbers(5, 2)}),
]

HEADS = [case for case in CASES if case.key.endswith("_head")]


def graph_around(case):
    call = {"name": "y", "call": "module:head", "kwargs": {name: f"${name}" for name in case.inputs}}
    module = {"_type_": f"block.{case.key}", **case.arguments}
    return {"inputs": list(case.inputs), "modules": {"head": module}, "nodes": [call], "outputs": ["$y"]}


def first(case, rows):
    return {name: value[:rows] for name, value in case.inputs.items()}


def same(one, other):
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


class Acting(nn.Module):
    """A policy whose actions are samples: what is exported of a model with a head."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, features, noise):
        return self.model.head.sample(self.model(features), noise)


@pytest.fixture(params=CASES, ids=str)
def case(request):
    return request.param


@pytest.fixture
def model(case, registry):
    torch.manual_seed(0)
    model = build_model({"schema_version": 1, "model": {"graph": graph_around(case)}}, registry=registry)
    model.eval()(**first(case, 3))  # gives dimensions that are left open their sizes
    return model.train()


def test_every_parameter_learns(model, case):
    outputs = model(**case.inputs)
    found = outputs.values() if isinstance(outputs, dict) else [outputs]
    learnt = [value for value in found if value.requires_grad]
    if case.key == "vq_codebook":
        assert not learnt
        return
    sum(value.exp().sum() for value in learnt).backward()
    assert [name for name, parameter in model.named_parameters() if not parameter.grad.any()] == []


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301 - own bytes
def test_a_copy_computes_the_same_and_leaves_the_original_alone(model, case, twin):
    other = twin(model)
    expected = model(**case.inputs)
    outputs = other(**case.inputs)
    torch.testing.assert_close(outputs, expected, rtol=0, atol=0)
    assert not {tensor.data_ptr() for tensor in model.state_dict().values()} & {
        tensor.data_ptr() for tensor in other.state_dict().values()
    }


@pytest.mark.parametrize("training", [True, False])
def test_it_compiles_without_a_graph_break(model, case, training):
    torch._dynamo.reset()
    other = copy.deepcopy(model.train(training))  # with buffers of its own
    compiled = torch.compile(other, fullgraph=True, backend="eager")
    for _ in range(2):
        same(compiled(**first(case, 8)), model(**first(case, 8)))
    for name, value in model.state_dict().items():
        same(other.state_dict()[name], value)


def test_it_is_exported_with_any_batch_size(model, case):
    dynamic = {name: {0: torch.export.Dim("batch", min=1)} for name in case.inputs}
    exported = torch.export.export(model.eval(), (), first(case, 3), dynamic_shapes=dynamic, strict=False).module()
    for count in (1, 64):
        same(exported(**first(case, count)), model(**first(case, count)))


def test_a_new_model_takes_the_weights_before_it_has_seen_a_batch(model, case, registry):
    fresh = build_model({"schema_version": 1, "model": {"graph": graph_around(case)}}, registry=registry)
    fresh.load_state_dict(model.state_dict())
    torch.testing.assert_close(fresh.eval()(**case.inputs), model.eval()(**case.inputs), rtol=0, atol=0)


@pytest.mark.parametrize("case", HEADS, ids=str)
def test_its_density_compiles_without_a_graph_break(model, case):
    torch._dynamo.reset()
    actions = numbers(*case.arguments["action_shape"])

    def loss(features):
        return model.head.log_prob(model(features), actions).mean()

    same(torch.compile(loss, fullgraph=True, backend="eager")(**case.inputs), loss(**case.inputs))


@pytest.mark.parametrize("case", HEADS, ids=str)
def test_its_samples_are_exported_with_any_batch_size(model, case):
    policy, batch = Acting(model).eval(), torch.export.Dim("batch", min=1)
    noise = numbers(*case.arguments["action_shape"])
    example = (case.inputs["features"][:3], noise[:3])
    exported = torch.export.export(policy, example, dynamic_shapes=({0: batch}, {0: batch}), strict=False).module()
    for count in (1, 64):
        inputs = (case.inputs["features"][:count], noise[:count])
        actions = policy(*inputs)
        assert actions.shape == (count, *case.arguments["action_shape"])
        same(exported(*inputs), actions)


def test_a_policy_of_these_blocks_learns_to_take_either_way(registry):
    """Demonstrations go left in a quarter of the cases and right in the others; a mean would go between them."""
    torch.manual_seed(0)
    policy = build_model(Path(__file__).with_name("expert_policy.yaml"), registry=registry)
    state = torch.randn(256, 3)
    side = torch.where(torch.rand(256, 1, 1) < 0.25, -1.0, 1.0)
    actions = side + 0.05 * torch.randn(256, 4, 2)
    policy(state)
    optimizer = torch.optim.Adam(policy.parameters(), lr=3e-3)
    for _ in range(300):
        outputs = policy(state)
        likelihood = policy.head.log_prob(outputs, actions).mean()
        added = 0.25 * outputs["commitment_loss"] + 0.01 * outputs["load_balancing_loss"]
        optimizer.zero_grad()
        (added + 0.001 * outputs["router_z_loss"] - likelihood).backward()
        optimizer.step()
    policy.eval()
    acted = policy.head.sample(policy(state), torch.randn(256, 4, 2))
    assert ((acted.abs() - 1).abs() < 0.1).float().mean() > 0.95
    assert 0.15 < (acted[:, 0, 0] < 0).float().mean() < 0.35
    assert outputs["load_balancing_loss"] < 1.5
