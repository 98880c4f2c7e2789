"""Pixels on their way into a network, beside the same arithmetic on NumPy arrays."""

import numpy as np
import pytest
import torch
from torch import nn

from offline_trainer_core import ComponentError
from ot_policy_constructor.blocks.image_input import ImageInput

PIXELS = torch.randint(0, 256, (2, 3, 6, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.mark.parametrize(
    ("normalize", "expected"),
    [
        ("unit", lambda x: x),
        ("symmetric", lambda x: 2 * x - 1),
        ("imagenet", lambda x: (x - MEAN) / STD),
    ],
)
def test_pixels_become_normalized_images_with_the_channels_first(normalize, expected):
    by_hand = np.moveaxis(expected(PIXELS.numpy() / 255), -1, -3)
    images = ImageInput(normalize)(PIXELS)
    assert images.dtype == torch.float32
    np.testing.assert_allclose(images.numpy(), by_hand, rtol=1e-5, atol=1e-6)


def test_black_and_white_are_the_ends_of_the_range():
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(1, 2, 1)
    assert ImageInput("unit")(ends).flatten().tolist() == [0, 1]
    assert ImageInput("symmetric")(ends).flatten().tolist() == [-1, 1]


@pytest.mark.parametrize("leading", [(), (2,), (2, 3), (0, 3)])
def test_any_number_of_leading_dimensions_is_kept(leading):
    pixels = torch.zeros(*leading, 6, 8, 3, dtype=torch.uint8)
    assert ImageInput(resize=(4, 5))(pixels).shape == (*leading, 3, 4, 5)


def test_a_smaller_image_is_the_mean_of_what_it_covers():
    """An antialiased halving weighs with a triangle that is four pixels wide; nearest pixels would alias."""
    stripes = torch.zeros(1, 4, 16, 1, dtype=torch.uint8)
    stripes[:, :, ::2] = 255
    halved = ImageInput(resize=(2, 8))(stripes)[..., 2:-2]
    torch.testing.assert_close(halved, torch.full_like(halved, 0.5), rtol=0, atol=1e-6)
    aliased = nn.functional.interpolate(stripes.movedim(-1, -3) / 255, (2, 8), mode="nearest")[..., 2:-2]
    assert (aliased - 0.5).abs().min() == 0.5


def test_an_antialiased_halving_is_the_triangle_filter():
    row = torch.randint(0, 256, (1, 2, 12, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    row[:, 1] = row[:, 0]
    x = row[0, 0, :, 0].double().numpy() / 255
    expected = [(x[2 * i - 1] + 3 * x[2 * i] + 3 * x[2 * i + 1] + x[2 * i + 2]) / 8 for i in range(1, 5)]
    resized = ImageInput(resize=(2, 6))(row)
    np.testing.assert_allclose(resized[0, 0, 0, 1:5].numpy(), expected, atol=1e-6)


def test_augmentation_sees_images_between_black_and_white_and_comes_before_normalization():
    seen = []

    class Spy(nn.Module):
        def forward(self, images):
            seen.append(images)
            return images * 0

    images = ImageInput("imagenet", resize=(4, 4), augment=[Spy()])(PIXELS)
    assert seen[0].shape[-2:] == (4, 4)
    assert 0 <= seen[0].min() < seen[0].max() <= 1
    np.testing.assert_allclose(images[0, 0, :, 0, 0].numpy(), -MEAN / STD, rtol=1e-5)


@pytest.mark.parametrize("white", [255.0, 1.0])
def test_floating_images_need_to_say_which_value_is_white(white):
    pixels = PIXELS.float() * (white / 255)
    with pytest.raises(ComponentError, match="got float32: say which value is white, 'white: 255' or 'white: 1'"):
        ImageInput()(pixels)
    torch.testing.assert_close(ImageInput(white=white)(pixels), ImageInput()(PIXELS))


@pytest.mark.parametrize(
    ("arguments", "shape", "message"),
    [
        ({}, (2, 3, 96, 96), r"\(\.\.\., H, W, C\), and got \(2, 3, 96, 96\): the channels seem to come first"),
        ({}, (96, 3), "these are no images"),
        ({"normalize": "imagenet"}, (2, 8, 8, 1), "'normalize: imagenet' is for images of 3 channels"),
    ],
)
def test_what_is_no_image_is_refused(arguments, shape, message):
    with pytest.raises(ComponentError, match=message):
        ImageInput(**arguments)(torch.zeros(shape, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"normalize": "zeros"}, "'normalize' is one of unit, symmetric"), ({"resize": [96]}, "'resize' is")],
)
def test_arguments_that_mean_nothing_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageInput(**arguments)


def test_nothing_of_it_is_in_a_checkpoint():
    assert not ImageInput("imagenet").state_dict()
