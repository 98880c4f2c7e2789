"""The U-Net over time beside the published network's layers, written here as plain operations."""

import pytest
import torch
from torch.nn import functional as F

from offline_trainer_core import ComponentError
from ot_policy_constructor.blocks.temporal_unet import ConditionalBlock, TemporalUNet

PUBLISHED_PARAMETERS = 65_353_218
"""Of the network that Diffusion Policy trains on low-dimensional Push-T: 2 actions, 2 observations of 5 numbers."""
SMALL = {"widths": (8, 16, 24), "kernel_size": 3, "groups": 4, "time_dim": 8}
ACTIONS = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TIME = torch.tensor([0.0, 0.4, 1.0], dtype=torch.float64)
CONTEXT = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def conv_norm_mish(weights, name, x, groups):
    kernel = weights[f"{name}.0.weight"]
    x = F.conv1d(x, kernel, weights[f"{name}.0.bias"], padding=kernel.shape[-1] // 2)
    x = F.group_norm(x, groups, weights[f"{name}.1.weight"], weights[f"{name}.1.bias"])
    return x * torch.tanh(F.softplus(x))


def block(weights, name, x, condition, groups):
    """Return Chi et al.'s conditional residual block; `condition` has not been through its activation yet."""
    linear = F.linear(F.mish(condition), weights[f"{name}.film.linear.weight"], weights[f"{name}.film.linear.bias"])
    scale, bias = linear[:, :, None].chunk(2, 1)
    out = conv_norm_mish(weights, f"{name}.conv1", x, groups)
    out = conv_norm_mish(weights, f"{name}.conv2", (1 + scale) * out + bias, groups)
    if f"{name}.shortcut.weight" in weights:
        x = F.conv1d(x, weights[f"{name}.shortcut.weight"], weights[f"{name}.shortcut.bias"])
    return out + x


def network(weights, actions, time_features, context, groups):
    """Return what a network of three levels predicts."""

    def affine(name, x):
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def both(name, x):
        return block(weights, f"{name}.1", block(weights, f"{name}.0", x, condition, groups), condition, groups)

    def resample(function, name, x):
        return function(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride=2, padding=1)

    time = affine("time.3", F.mish(affine("time.1", time_features)))
    condition = torch.cat([time, context.flatten(1)], 1)
    first = both("down.0", actions.mT)
    second = both("down.1", resample(F.conv1d, "downsample.0", first))
    third = both("down.2", resample(F.conv1d, "downsample.1", second))
    x = both("middle", third)
    x = resample(F.conv_transpose1d, "upsample.0", both("up.0", torch.cat([x, third], 1)))
    x = resample(F.conv_transpose1d, "upsample.1", both("up.1", torch.cat([x, second], 1)))
    x = conv_norm_mish(weights, "last.0", x, groups)
    return F.conv1d(x, weights["last.1.weight"], weights["last.1.bias"]).mT


@pytest.mark.parametrize("in_channels", [4, 8])
def test_a_block_is_the_published_one(in_channels):
    made = ConditionalBlock(in_channels, 8, condition_dim=5, kernel_size=3, groups=2).double()
    x, condition = torch.randn(3, in_channels, 6).double(), torch.randn(3, 5).double()
    weights = {f"b.{name}": value for name, value in made.state_dict().items()}
    torch.testing.assert_close(made(x, F.mish(condition)), block(weights, "b", x, condition, groups=2))


def test_the_network_is_the_published_one():
    unet = TemporalUNet(2, 10, **SMALL).double()
    expected = network(unet.state_dict(), ACTIONS, unet.time[0](TIME), CONTEXT, groups=4)
    predicted = unet(ACTIONS, TIME, CONTEXT)
    torch.testing.assert_close(predicted, expected)
    assert predicted.shape == ACTIONS.shape


def test_it_has_as_many_parameters_as_the_published_one():
    with torch.device("meta"):
        unet = TemporalUNet(action_dim=2, context_dim=10)
    assert sum(p.numel() for p in unet.parameters()) == PUBLISHED_PARAMETERS


def test_a_context_of_several_steps_is_flattened_and_its_size_may_be_left_open():
    unet = TemporalUNet(2, **SMALL).double()
    flat = unet(ACTIONS, TIME, CONTEXT.flatten(1))
    assert torch.equal(unet(ACTIONS, TIME, CONTEXT), flat)
    assert unet.middle[0].film.linear.in_features == 8 + 10


@pytest.mark.parametrize("changed", ["actions", "time", "context"])
def test_the_prediction_depends_on_each_of_its_inputs(changed):
    unet = TemporalUNet(2, 10, **SMALL).double()
    inputs = {"actions": ACTIONS, "time": TIME, "context": CONTEXT}
    others = {**inputs, changed: inputs[changed].flip(0)}
    assert not torch.allclose(unet(**inputs), unet(**others))


@pytest.mark.parametrize(("widths", "steps", "stride"), [((8, 16, 24), 6, 4), ((8, 16), 7, 2)])
def test_a_chunk_that_cannot_be_halved_is_refused(widths, steps, stride):
    unet = TemporalUNet(2, 10, **{**SMALL, "widths": widths})
    actions = torch.zeros(3, steps, 2)
    with pytest.raises(ComponentError, match=f"this one has {steps}: take a multiple of {stride}, or fewer 'widths'"):
        unet(actions, TIME.float(), CONTEXT.float())


def test_a_network_of_one_level_takes_a_chunk_of_any_length():
    unet = TemporalUNet(2, 10, **{**SMALL, "widths": (8,)}).double()
    assert unet(ACTIONS[:, :7], TIME, CONTEXT).shape == (3, 7, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": ()}, "at least one level"),
        ({"kernel_size": 4}, "'kernel_size' is odd"),
        ({"widths": (8, 18)}, r"4 does not divide \[18\]"),
    ],
)
def test_what_cannot_be_a_unet_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TemporalUNet(2, 10, **{**SMALL, **arguments})
