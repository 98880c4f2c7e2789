"""Shapes, parameters, calls and FLOPs are those that can be worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offline_trainer_core import ComponentError, specimen
from ot_policy_constructor.inspection.flops import FlopCounter, not_counted
from ot_policy_constructor.inspection.provenance import Provenance
from ot_policy_constructor.inspection.survey import ModuleFacts, survey


def find(facts: ModuleFacts, *names: str) -> ModuleFacts:
    for name in names:
        (facts,) = (child for child in facts.children if child.name == name)
    return facts


def linear_flops(rows: int, inputs: int, outputs: int) -> int:
    return 2 * rows * inputs * outputs


def test_parameters_are_those_of_the_formula_with_lazy_dimensions_filled(mlp):
    seen = survey(specimen(mlp))
    by_hand = (5 * 7 + 7) + (7 * 2 + 2)
    assert (seen.parameters.trainable, seen.parameters.frozen) == (by_hand, 0)
    assert seen.parameters.bytes == 4 * by_hand
    (component,) = seen.components
    assert find(component.module, "0", "0").parameters.trainable == 5 * 7 + 7


def test_shapes_are_functions_of_the_batch(mlp):
    seen = survey(specimen(mlp))
    (component,) = seen.components
    assert seen.batch_size == 8
    layer = find(component.module, "0", "0")
    assert [str(value) for value in layer.inputs] == ["(B, 5)"]
    assert [str(value) for value in layer.outputs] == ["(B, 7)"]


def test_flops_are_two_for_every_multiply_add(mlp):
    (component,) = survey(specimen(mlp)).components
    assert find(component.module, "0", "0").flops.at(1) == linear_flops(1, 5, 7)
    assert component.module.flops.at(1) == linear_flops(1, 5, 7) + linear_flops(1, 7, 2)
    assert component.module.flops.at(64) == 64 * component.module.flops.at(1)


def test_a_convolution_is_counted_at_every_place(two_networks):
    camera, head = survey(specimen(two_networks)).components
    kernel, places = 3 * 3 * 3 * 4, 2 * 2
    assert camera.module.flops.at(1) == 2 * kernel * places
    assert head.module.flops.at(1) == linear_flops(1, 5, 8) + linear_flops(1, 16, 2)


def test_frozen_components_are_marked_and_counted_apart(two_networks):
    seen = survey(specimen(two_networks))
    camera, head = seen.components
    assert (camera.frozen, head.frozen) == (True, False)
    assert seen.parameters.frozen == 3 * 3 * 3 * 4 + 4
    assert seen.parameters.trainable == (5 * 8 + 8) + (16 * 2 + 2)


def test_a_network_that_is_called_twice_costs_what_one_call_costs(two_networks):
    camera, head = survey(specimen(two_networks)).components
    assert (camera.way, camera.times, head.times) == ("validate", 2, 2)
    assert head.module.calls == 1


def test_a_module_that_is_used_twice_is_counted_once_in_parameters_and_twice_in_flops(experiment):
    shared = {"graph": {
        "inputs": ["state"],
        "modules": {"layer": {"_type_": "nn.Linear", "in_features": 5, "out_features": 5},
                    "out": {"_type_": "nn.Linear", "in_features": 5, "out_features": 2}},
        "steps": [{"call": "module:layer", "args": ["$state"], "out": "a"},
                  {"call": "module:layer", "args": ["$a"], "out": "b"},
                  {"call": "module:out", "args": ["$b"], "out": "c"}],
        "outputs": ["$c"],
    }}  # fmt: skip
    (component,) = survey(specimen(experiment(shared))).components
    layer = find(component.module, "layer")
    assert layer.calls == 2
    assert layer.parameters.trainable == 5 * 5 + 5
    assert layer.flops.at(1) == 2 * linear_flops(1, 5, 5)


def test_a_plain_module_is_surveyed_like_any_other(experiment):
    io = {"_type_": "io.mapping", "model_args": ["state"], "targets": {"action": "action"}}
    config = experiment({"_type_": "nn.Linear", "in_features": 5, "out_features": 2}, io=io)
    (component,) = survey(specimen(config)).components
    assert (component.module.type, component.module.flops.at(1)) == ("Linear", linear_flops(1, 5, 2))


def test_a_network_that_validation_leaves_out_is_seen_in_an_update_that_trains_nothing(experiment):
    config = experiment(
        {"components": {
            "actor": {"_type_": "model.deterministic_actor", "observation_dim": 5, "action_dim": 2},
            "critic": {"_type_": "model.twin_q", "observation_dim": 5, "action_dim": 2},
        }},
        algorithm={"_type_": "algo.td3_bc", "fields": {"observation": "state", "next_observation": "state",
                                                       "reward": "reward", "terminated": "reward"}},
        optimizer={name: {"_type_": "optim_factory.torch", "type": "SGD", "kwargs": {"lr": 0.1}}
                   for name in ("actor", "critic")},
    )  # fmt: skip
    del config["io"], config["loss"]
    taken = specimen(config)
    before = {name: parameter.clone() for name, parameter in taken.models["critic"].named_parameters()}
    actor, critic = survey(taken).components
    assert (actor.way, critic.way) == ("validate", "update")
    assert all(torch.equal(value, before[name]) for name, value in taken.models["critic"].named_parameters())


def test_looking_changes_nothing(two_networks):
    taken = specimen(two_networks)
    modes = [module.training for model in taken.models.values() for module in model.modules()]
    state, random = taken.models["head"].state_dict(), torch.get_rng_state()
    kept = {name: value.clone() for name, value in state.items()}
    survey(taken)
    assert [module.training for model in taken.models.values() for module in model.modules()] == modes
    assert all(torch.equal(value, kept[name]) for name, value in state.items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in taken.models["head"].modules())


def test_what_fails_names_the_algorithm_and_the_place_in_the_model(two_networks):
    taken = specimen(two_networks)
    taken.batch["state"] = torch.zeros(8, 6)
    with pytest.raises(ComponentError, match=r"TwoNetworks\.validate failed") as raised:
        survey(taken)
    assert "mat1 and mat2" in str(raised.value.__cause__)


def test_attention_on_a_cpu_is_counted():
    query, key = torch.randn(2, 4, 6, 8), torch.randn(2, 4, 10, 8)
    with FlopCounter() as counter, torch.no_grad():
        nn.functional.scaled_dot_product_attention(query, key, key)
    assert counter.get_total_flops() == 2 * 2 * 4 * (6 * 10 * 8) * 2


def test_what_has_no_formula_is_named():
    trace = Provenance()
    trace.listening = True
    with trace, torch.no_grad():
        nn.functional.layer_norm(nn.functional.gelu(torch.randn(2, 3) @ torch.randn(3, 3)).view(3, 2), (2,))
    assert not_counted(trace.operations) == ("element-wise operations", "native_layer_norm")


def test_sources_follow_views_computation_and_changes_in_place():
    trace = Provenance()
    a, b, other = torch.randn(3, 4), torch.randn(3, 4), torch.zeros(3, 4)
    with trace, torch.no_grad():
        trace.declare([a], "a")
        trace.declare([b], "b")
        assert trace.sources(a[:, 1:]) == {"a"}
        assert trace.sources(a.t() @ b) == {"a", "b"}
        assert trace.sources(torch.randn_like(a)) == set()
        other.add_(b)
        assert trace.sources(other) == {"b"}
