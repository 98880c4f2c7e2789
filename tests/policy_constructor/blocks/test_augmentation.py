"""Augmentation: what is drawn, for whom it is drawn, and that eval mode draws nothing."""

import pytest
import torch

from offline_trainer_core import ComponentError
from ot_policy_constructor.blocks.augmentation import CameraDropout, ColourJitter, RandomCrop

IMAGES = torch.rand(16, 2, 3, 10, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def places_of(crop, image):
    """Return every place at which `crop` stands in `image`."""
    height, width = crop.shape[-2:]
    rows, columns = image.shape[-2] - height + 1, image.shape[-1] - width + 1
    return [
        (top, left)
        for top in range(rows)
        for left in range(columns)
        if torch.equal(image[..., top : top + height, left : left + width], crop)
    ]


def test_each_sample_is_cropped_elsewhere_and_all_its_time_steps_at_the_same_place():
    crops = RandomCrop((8, 9))(IMAGES)
    assert crops.shape == (16, 2, 3, 8, 9)
    # A whole sample is looked for at once: it is found only where all its time steps were cut at one place.
    places = [places_of(crop, image) for crop, image in zip(crops, IMAGES, strict=True)]
    assert all(len(found) == 1 for found in places)
    assert len({found[0] for found in places}) > 4


def test_every_place_is_drawn_as_often_as_every_other():
    pixels = torch.arange(4.0).view(1, 1, 2, 2).expand(40_000, 1, 2, 2)
    counts = RandomCrop((1, 1))(pixels).flatten().long().bincount(minlength=4)
    # Four standard deviations of a count of n p = 10,000.
    assert (counts - 10_000).abs().max() < 4 * (40_000 * 0.25 * 0.75) ** 0.5


def test_a_crop_of_the_whole_image_is_the_image():
    assert torch.equal(RandomCrop((10, 12))(IMAGES), IMAGES)


def test_in_eval_mode_the_centre_is_cropped():
    crops = RandomCrop((8, 9)).eval()(IMAGES)
    assert torch.equal(crops, IMAGES[..., 1:9, 1:10])


def test_a_single_image_is_a_sample():
    image = IMAGES[0, 0]
    assert places_of(RandomCrop((8, 9))(image), image)
    assert ColourJitter(0.5, 0.5, 0.5, 0.5)(image).shape == image.shape


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 3, 4, 12), "cannot cut 8 x 9 out of images of 4 x 12"),
        (torch.zeros(2, 12, 12, 3, dtype=torch.uint8), r"got uint8 \(2, 12, 12, 3\); block.image_input makes them"),
    ],
)
def test_what_cannot_be_cropped_is_refused(images, message):
    with pytest.raises(ComponentError, match=message):
        RandomCrop((8, 9))(images)


def test_a_crop_has_a_height_and_a_width():
    with pytest.raises(ValueError, match=r"'size' is \[height, width\], not \[8\]"):
        RandomCrop([8])


@pytest.mark.parametrize("what", ["brightness", "contrast", "saturation", "hue"])
def test_colours_change_otherwise_for_each_sample_and_alike_for_its_time_steps(what):
    images = IMAGES[:1, :1].expand(16, 2, 3, 10, 12)
    jittered = ColourJitter(**{what: 0.4})(images)
    assert not torch.equal(jittered[0], jittered[1])
    assert torch.equal(jittered[:, 0], jittered[:, 1])
    assert 0 <= jittered.min() < jittered.max() <= 1


def test_factors_lie_around_one_and_not_below_zero():
    grey = torch.full((2_000, 3, 1, 1), 0.4)
    narrow = ColourJitter(brightness=0.25)(grey) / 0.4
    assert 0.75 <= narrow.min() < 0.76
    assert 1.24 < narrow.max() <= 1.25
    wide = ColourJitter(brightness=1.4)(grey) / 0.4
    assert 0 <= wide.min() < 0.01
    assert 2.3 < wide.max() <= 2.4 + 1e-6


def test_hue_is_at_most_half_the_circle():
    with pytest.raises(ValueError, match=r"'hue' is at most 0\.5"):
        ColourJitter(hue=0.6)


def test_grey_images_have_no_colours_to_change():
    with pytest.raises(ComponentError, match=r"takes floating images \(\.\.\., 3, H, W\)"):
        ColourJitter(0.1)(torch.zeros(2, 1, 4, 4))


@pytest.mark.parametrize("shape", [(4_000, 3), (4_000, 2, 3, 2, 2)])
def test_a_camera_is_blanked_as_a_whole_and_as_often_as_asked(shape):
    camera = torch.ones(shape)
    kept = CameraDropout(0.3)(camera).flatten(1)
    assert torch.equal(kept, kept[:, :1].expand_as(kept)), "a sample is kept or blanked, and not scaled"
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    # Four standard deviations of the rate.
    assert abs(1 - kept[:, 0].mean().item() - 0.3) < 4 * (0.3 * 0.7 / 4_000) ** 0.5


def test_blanked_features_are_zero_even_where_they_were_not_finite():
    assert torch.equal(CameraDropout(1.0)(torch.full((2, 3), torch.nan)), torch.zeros(2, 3))


@pytest.mark.parametrize("block", [ColourJitter(0.5, 0.5, 0.5, 0.5), CameraDropout(1.0)])
def test_in_eval_mode_nothing_happens(block):
    assert block.eval()(IMAGES) is IMAGES
    assert not torch.equal(block.train()(IMAGES), IMAGES)


@pytest.mark.parametrize("block", [RandomCrop((8, 9)), ColourJitter(0.5, 0.5, 0.5, 0.5), CameraDropout(0.5)])
def test_what_is_drawn_depends_on_the_seed_alone(block):
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(block(IMAGES))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
