"""Keypoints of a feature map, beside the sums of their definition written as loops."""

import math

import pytest
import torch

from offline_trainer_core import ComponentError
from ot_policy_constructor.blocks.spatial_softmax import SpatialSoftmax

FEATURES = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 3


def by_loops(channel, temperature):
    """Return the mean place `[x, y]` of one channel `(H, W)`."""
    height, width = len(channel), len(channel[0])
    weights = [[math.exp(value / temperature) for value in row] for row in channel]
    total = sum(map(sum, weights))
    x = sum(weights[i][j] * (2 * j / (width - 1) - 1) for i in range(height) for j in range(width)) / total
    y = sum(weights[i][j] * (2 * i / (height - 1) - 1) for i in range(height) for j in range(width)) / total
    return [x, y]


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_places_are_the_means_of_the_channels(temperature, learned):
    places = SpatialSoftmax(temperature=temperature, learn_temperature=learned)(FEATURES)
    assert places.shape == (2, 6)
    for image, found in zip(FEATURES.tolist(), places, strict=True):
        expected = [number for channel in image for number in by_loops(channel, temperature)]
        assert found.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("row", "column", "place"), [(0, 0, [-1, -1]), (0, 4, [1, -1]), (3, 0, [-1, 1]), (3, 4, [1, 1]), (0, 2, [0, -1])]
)
def test_a_single_bright_cell_is_where_it_is(row, column, place):
    features = torch.zeros(1, 4, 5)
    features[0, row, column] = 100
    assert SpatialSoftmax()(features).tolist() == pytest.approx(place, abs=1e-6)


def test_places_are_as_exact_where_products_are_rounded():
    block = SpatialSoftmax()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = FEATURES @ torch.eye(5)
        places = block(FEATURES)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(places, block(FEATURES), rtol=0, atol=1e-6)


@pytest.mark.parametrize("in_channels", [3, None])
def test_keypoints_are_channels_of_a_convolution(in_channels):
    block = SpatialSoftmax(7, in_channels)
    places = block(FEATURES)
    assert places.shape == (2, 14)
    weight, bias = block.keypoints.weight[:, :, 0, 0], block.keypoints.bias
    mixed = torch.einsum("kc,bchw->bkhw", weight, FEATURES) + bias.view(-1, 1, 1)
    torch.testing.assert_close(places, SpatialSoftmax()(mixed))


def test_a_learned_temperature_gets_a_gradient_and_a_fixed_one_is_no_parameter():
    block = SpatialSoftmax(learn_temperature=True, temperature=0.5)
    block(FEATURES).square().sum().backward()
    assert block.log_temperature.grad.abs() > 1e-4
    assert not list(SpatialSoftmax(temperature=0.5).parameters())


@pytest.mark.parametrize("leading", [(), (2, 3), (0,)])
def test_any_number_of_leading_dimensions_is_kept(leading):
    assert SpatialSoftmax(5, 3)(torch.zeros(*leading, 3, 4, 5)).shape == (*leading, 10)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (4, 1)])
def test_a_map_in_which_nothing_has_a_place_is_refused(size):
    with pytest.raises(ComponentError, match=f"a feature map, and one of {size[0]} x {size[1]} has none"):
        SpatialSoftmax()(torch.zeros(2, 3, *size))
