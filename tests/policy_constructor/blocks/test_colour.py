"""Changes of colour beside torchvision's formulas, written here for one image at a time, and beside `colorsys`."""

import colorsys

import pytest
import torch

from ot_policy_constructor.blocks import colour

IMAGES = torch.rand(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
IMAGES[0, :, 0] = IMAGES[0, :1, 0]  # grey pixels, whose hue is not defined
IMAGES[1, :, 0, 0], IMAGES[1, :, 0, 1] = 0.0, 1.0


def blend(first, second, ratio):
    return (ratio * first + (1.0 - ratio) * second).clamp(0, 1)


def grey(image):
    return (0.2989 * image[0] + 0.587 * image[1] + 0.114 * image[2])[None]


def hsv_of(image):
    r, g, b = image
    high, low = image.max(0).values, image.min(0).values
    same = high == low
    spread = high - low
    saturation = spread / torch.where(same, torch.ones_like(high), high)
    divisor = torch.where(same, torch.ones_like(high), spread)
    rc, gc, bc = (high - r) / divisor, (high - g) / divisor, (high - b) / divisor
    hr = (high == r) * (bc - gc)
    hg = ((high == g) & (high != r)) * (2.0 + rc - bc)
    hb = ((high != g) & (high != r)) * (4.0 + gc - rc)
    return torch.stack((torch.fmod((hr + hg + hb) / 6.0 + 1.0, 1.0), saturation, high))


def rgb_of(hsv):
    h, s, v = hsv
    i = torch.floor(h * 6.0)
    f = h * 6.0 - i
    p, q, t = v * (1.0 - s), v * (1.0 - s * f), v * (1.0 - s * (1.0 - f))
    sextant = i.long() % 6
    table = torch.stack(
        [torch.stack(case) for case in ((v, t, p), (q, v, p), (p, v, t), (p, q, v), (t, p, v), (v, p, q))]
    )
    return table.gather(0, sextant.expand(1, 3, *sextant.shape))[0]


def turned(image, shift):
    h, s, v = hsv_of(image)
    return rgb_of(torch.stack(((h + shift) % 1.0, s, v)))


REFERENCE = {
    "adjust_brightness": lambda image, factor: blend(image, torch.zeros_like(image), factor),
    "adjust_contrast": lambda image, factor: blend(image, grey(image).mean(), factor),
    "adjust_saturation": lambda image, factor: blend(image, grey(image), factor),
    "adjust_hue": turned,
}


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("amounts", [(0.0, 0.3, 0.5, 0.47), (0.1, -0.5, -0.3, -0.01), (1.0, 1.3, 0.0, 2.0)])
def test_colours_change_as_in_torchvision(name, amounts):
    if name != "adjust_hue":
        amounts = [abs(amount) for amount in amounts]
    by_hand = torch.stack([REFERENCE[name](image, amount) for image, amount in zip(IMAGES, amounts, strict=True)])
    changed = getattr(colour, name)(IMAGES, torch.tensor(amounts).view(4, 1, 1, 1))
    torch.testing.assert_close(changed, by_hand, rtol=0, atol=2e-6)
    assert not torch.allclose(changed, IMAGES, atol=1e-2)


def test_hue_turns_as_the_standard_library_turns_it():
    turned = colour.adjust_hue(IMAGES, torch.tensor(0.2).view(1, 1, 1, 1))
    for before, after in zip(IMAGES.movedim(1, -1).reshape(-1, 3), turned.movedim(1, -1).reshape(-1, 3), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*before.tolist())
        assert after.tolist() == pytest.approx(colorsys.hsv_to_rgb((h + 0.2) % 1, s, v), abs=1e-5)


def test_red_turned_by_a_third_of_the_circle_is_green():
    red = torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1)
    shift = torch.full((1, 1, 1), 1 / 3)
    torch.testing.assert_close(colour.adjust_hue(red, shift), red.roll(1, 0), atol=1e-6, rtol=0)
