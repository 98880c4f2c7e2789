"""How a graph calls modules: by keyword, with mappings and tuples in and out, with inputs that may be left out."""

import inspect

import pytest
import torch
from torch import nn

from offline_trainer_core import ConfigError
from ot_policy_constructor.frontends import graph


class Attend(nn.Module):
    """Averages tokens `(B, L, D)` in which a mask has no padding."""

    def forward(self, tokens, *, padding_mask=None, scale=1.0):
        if padding_mask is None:
            return tokens.mean(1) * scale
        kept = (~padding_mask)[..., None].to(tokens.dtype)
        return (tokens * kept).sum(1) / kept.sum(1) * scale


class Experts(nn.Module):
    """Returns what a block with an auxiliary loss returns."""

    def forward(self, x):
        return {"tokens": 2 * x, "load_balancing_loss": x.square().mean(), "unused": x}


class Recurrent(nn.Module):
    """Returns a tuple."""

    def forward(self, x):
        return x + 1, x - 1


class Fuse(nn.Module):
    """Takes a mapping of sources."""

    def forward(self, sources):
        return sum(weight * sources[name] for weight, name in enumerate(sorted(sources), 1))


@pytest.fixture
def build(own_registry):
    for module in (Attend, Experts, Recurrent, Fuse):
        own_registry.register_module(f"block.{module.__name__.lower()}", module)

    def make(inputs, steps, outputs, **modules):
        specs = {name: {"_type_": f"block.{block}"} for name, block in modules.items()}
        definition = {"inputs": inputs, "modules": specs, "steps": steps, "outputs": outputs}
        return graph(definition, registry=own_registry)

    return make


@pytest.fixture
def tokens():
    return torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))


MASK = torch.tensor([[False, False, True, True]] * 3)
ATTEND = [{"call": "module:attend", "args": ["$tokens"], "kwargs": {"padding_mask": "$mask", "scale": 2.0}, "out": "y"}]


def test_modules_are_called_with_keywords(build, tokens):
    model = build(["tokens", "mask"], ATTEND, ["$y"], attend="attend")
    torch.testing.assert_close(model(tokens, MASK), 2 * tokens[:, :2].mean(1))
    torch.testing.assert_close(model(tokens=tokens, mask=~MASK), 2 * tokens[:, 2:].mean(1))


def test_an_input_that_may_be_left_out_is_none_then(build, tokens):
    model = build(["tokens", {"mask": None}], ATTEND, ["$y"], attend="attend")
    assert str(inspect.signature(model.forward)) == "(tokens, mask=None)"
    torch.testing.assert_close(model(tokens), 2 * tokens.mean(1))
    torch.testing.assert_close(model(tokens, mask=MASK), 2 * tokens[:, :2].mean(1))
    with pytest.raises(TypeError, match="tokens"):
        model(mask=MASK)


def test_an_input_that_may_be_left_out_is_exported_either_way(build, tokens):
    model = build(["tokens", {"mask": None}], ATTEND, ["$y"], attend="attend")
    for given in ((tokens,), (tokens, MASK)):
        torch.testing.assert_close(torch.export.export(model, given).module()(*given), model(*given))


def test_an_input_that_may_be_left_out_comes_after_those_that_may_not(build):
    with pytest.raises(ConfigError, match="'mask' may be left out, so it comes after 'tokens', which may not"):
        build([{"mask": None}, "tokens"], ATTEND, ["$y"], attend="attend")


@pytest.mark.parametrize("wrong", [{"mask": 1.0}, {"mask": None, "more": None}, {}])
def test_an_input_is_a_name_or_a_name_with_null(build, wrong):
    with pytest.raises(ConfigError, match="an input is a name, not a mapping"):
        build(["tokens", wrong], ATTEND, ["$y"], attend="attend")


def test_what_a_module_returns_as_a_mapping_is_taken_apart_and_handed_on(build, tokens):
    steps = [
        {"call": "module:experts", "args": ["$x"], "out": {"tokens": "mixed", "load_balancing_loss": "auxiliary"}},
        {"call": "module:attend", "args": ["$mixed"], "out": "y"},
    ]
    outputs = {"features": "$y", "load_balancing_loss": "$auxiliary"}
    returned = build(["x"], steps, outputs, experts="experts", attend="attend")(tokens)
    assert list(returned) == ["features", "load_balancing_loss"]
    torch.testing.assert_close(returned["features"], 2 * tokens.mean(1))
    torch.testing.assert_close(returned["load_balancing_loss"], tokens.square().mean())


def test_a_key_that_a_module_does_not_return_is_an_error_that_names_the_node(build, tokens):
    steps = [{"call": "module:experts", "args": ["$x"], "out": {"token": "mixed"}}]
    with pytest.raises(KeyError, match="token") as caught:
        build(["x"], steps, ["$mixed"], experts="experts")(tokens)
    assert "(module 'experts', block.experts)" in caught.value.__notes__[0]


def test_a_whole_mapping_is_a_value_too(build, tokens):
    steps = [{"call": "module:experts", "args": ["$x"], "out": "all"}]
    assert set(build(["x"], steps, ["$all"], experts="experts")(tokens)) == {"tokens", "load_balancing_loss", "unused"}


def test_what_a_module_returns_as_a_tuple_is_unpacked(build, tokens):
    steps = [{"call": "module:recurrent", "args": ["$x"], "out": ["high", "low"]}]
    high, low = build(["x"], steps, ["$high", "$low"], recurrent="recurrent")(tokens)
    torch.testing.assert_close(high - low, torch.full_like(tokens, 2))


def test_a_mapping_of_values_is_an_argument(build, tokens):
    steps = [{"call": "module:fuse", "args": [{"camera": "$a", "state": "$b"}], "out": "y"}]
    fused = build(["a", "b"], steps, ["$y"], fuse="fuse")(tokens, 10 * tokens)
    torch.testing.assert_close(fused, tokens + 2 * 10 * tokens)
