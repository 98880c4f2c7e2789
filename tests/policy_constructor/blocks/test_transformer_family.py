"""What holds for every block of the transformer family, in a graph from YAML: gradients, copies, compiling, export."""

import copy
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from ot_policy_constructor import build_model

BATCH = 3
PADDING = torch.arange(5) >= torch.tensor([5, 2, 4])[:, None]


def randn(*shape):
    return torch.randn(BATCH, *shape, generator=torch.Generator().manual_seed(len(shape)))


class Case(NamedTuple):
    """A block, its arguments but for `dropout`, the inputs of a graph around it, and whether it has dropout."""

    key: str
    arguments: dict[str, Any]
    inputs: dict[str, Tensor]
    drops: bool = True

    def __str__(self):
        return "-".join([self.key, *(str(value) for value in self.arguments.values() if isinstance(value, str))])


STACK = {"dim": 16, "depth": 1, "heads": 4}
CHUNK = {"action_dim": 2, "horizon": 6, **STACK}
NOISY = {"actions": randn(6, 2), "time": torch.rand(BATCH)}
CASES = [
    Case("transformer_encoder", STACK, {"x": randn(5, 16), "padding_mask": PADDING}),
    Case("transformer_decoder", STACK, {"x": randn(6, 16), "tokens": randn(5, 16), "tokens_padding_mask": PADDING}),
    Case("positions", {"length": 6, "dim": 16, "kind": "learned"}, {"x": randn(5, 16)}, drops=False),
    Case("positions", {"length": 6, "dim": 16, "kind": "sinusoidal"}, {"x": randn(5, 16)}, drops=False),
    Case("time_embedding", {"dim": 16}, {"time": torch.rand(BATCH)}, drops=False),
    Case(
        "token_fusion",
        {"sources": {"vision": None, "state": 3}, "dim": 16},
        {"vision": randn(5, 8), "state": randn(3), "vision_padding_mask": PADDING},
        drops=False,
    ),
    Case("patch_embedding", {"patch_size": 4, "dim": 16, "in_channels": None}, {"image": randn(3, 8, 12)}, drops=False),
    *(
        Case(
            "vision_transformer",
            {"image_size": 8, "patch_size": 4, **STACK, "output": output},
            {"image": randn(2, 3, 8, 8)},
        )
        for output in ("class", "tokens")
    ),
    *(
        Case(
            "action_transformer", {**CHUNK, "tokens_dim": tokens_dim, "time_conditioning": conditioning}, NOISY | tokens
        )
        for conditioning in ("adaln", "token")
        for tokens_dim, tokens in ((None, {"tokens": randn(5, 8), "tokens_padding_mask": PADDING}), (0, {}))
    ),
]


def graph_around(case, **more):
    call = {"name": "y", "call": "module:block", "kwargs": {name: f"${name}" for name in case.inputs}}
    module = {"_type_": f"block.{case.key}", **case.arguments, **more}
    return {"inputs": list(case.inputs), "modules": {"block": module}, "nodes": [call], "outputs": ["$y"]}


def tensors(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


@pytest.fixture(params=CASES, ids=str)
def case(request):
    return request.param


@pytest.fixture
def model(case, registry, shaken):
    model = build_model({"schema_version": 1, "model": {"graph": graph_around(case)}}, registry=registry)
    model(**case.inputs)
    return shaken(model)


def test_every_parameter_learns(model, case):
    value = tensors(model(**case.inputs))[0]
    if not list(model.parameters()):
        assert case.key in ("positions", "time_embedding")
        return
    value.square().sum().backward()
    assert [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301 - own bytes
def test_a_copy_computes_the_same(model, case, twin):
    torch.testing.assert_close(twin(model)(**case.inputs), model(**case.inputs), rtol=0, atol=0)


def test_it_compiles_without_a_graph_break(model, case):
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(**case.inputs), model(**case.inputs), rtol=0, atol=1e-5)


def test_it_is_exported_with_any_batch_size(model, case):
    dynamic = {name: {0: torch.export.Dim("batch")} for name in case.inputs}
    exported = torch.export.export(model.eval(), (), case.inputs, dynamic_shapes=dynamic).module()
    for count in (1, 64):
        batch = {name: torch.cat([value] * 22)[:count] for name, value in case.inputs.items()}
        torch.testing.assert_close(exported(**batch), model(**batch), rtol=0, atol=1e-5)


def test_dropout_acts_in_training_and_only_there(model, case, registry):
    if not case.drops:
        with pytest.raises(Exception, match="dropout"):
            build_model({"schema_version": 1, "model": {"graph": graph_around(case, dropout=0.5)}}, registry=registry)
        return
    dropping = build_model(
        {"schema_version": 1, "model": {"graph": graph_around(case, dropout=0.5)}}, registry=registry
    )
    dropping(**case.inputs)
    dropping.load_state_dict(model.state_dict())
    assert not torch.allclose(dropping(**case.inputs), model(**case.inputs))
    torch.testing.assert_close(dropping.eval()(**case.inputs), model(**case.inputs), rtol=0, atol=0)


@pytest.fixture
def policy(registry):
    return build_model(Path(__file__).with_name("flow_policy.yaml"), registry=registry)


@pytest.fixture
def observed():
    generator = torch.Generator().manual_seed(0)
    return {
        "image": torch.randint(0, 256, (BATCH, 2, 8, 12, 3), dtype=torch.uint8, generator=generator),
        "state": randn(2, 5),
        "state_is_pad": torch.tensor([[False, False], [True, False], [True, True]]),
    }


def test_a_policy_of_these_blocks_is_a_file(policy, observed, shaken):
    noisy = {"actions": randn(6, 2), "time": torch.rand(BATCH)}
    assert torch.equal(policy(**noisy, **observed), torch.zeros(BATCH, 6, 2))
    shaken(policy).eval()
    velocity = policy(**noisy, **observed)
    unseen = observed | {"state": observed["state"] + 10 * observed["state_is_pad"][..., None]}
    torch.testing.assert_close(policy(**noisy, **unseen), velocity, rtol=0, atol=1e-5)
    assert not torch.allclose(policy(**noisy, **observed | {"state": -observed["state"]})[:2], velocity[:2])


def test_every_part_of_such_a_policy_learns(policy, observed, shaken):
    noisy = {"actions": randn(6, 2), "time": torch.rand(BATCH)}
    policy(**noisy, **observed)
    shaken(policy)(**noisy, **observed).square().sum().backward()
    assert [name for name, parameter in policy.named_parameters() if not parameter.grad.abs().sum() > 0] == []
