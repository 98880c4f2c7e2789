"""Changes of colour of images `(..., 3, H, W)` in [0, 1], by torchvision's formulas.

Each takes a factor, or a shift, that is broadcast against the images, and gives images in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Mix images with black: 0 is black, 1 the image, above 1 brighter."""
    return (images * factor).clamp(0, 1)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Mix each image with its mean grey: 0 is all grey, 1 the image."""
    grey = to_grey(images).mean((-3, -2, -1), keepdim=True)
    return torch.lerp(grey, images, factor).clamp(0, 1)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Mix images with their own grey version: 0 is grey, 1 the image."""
    return torch.lerp(to_grey(images), images, factor).clamp(0, 1)


def adjust_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn the colours by `shift` of the colour circle, in [-0.5, 0.5]: from RGB to HSV and back (Smith 1978)."""
    red, green, blue = images.unbind(-3)
    value = images.amax(-3)
    chroma = value - images.amin(-3)
    divisor = torch.where(chroma > 0, chroma, 1)
    from_green, from_blue = 2 + (blue - red) / divisor, 4 + (red - green) / divisor
    sixths = torch.where(value == green, from_green, from_blue)
    sixths = torch.where(value == red, (green - blue) / divisor, sixths) + 6 * shift.squeeze(-3)
    channels = []
    for start in (5, 3, 1):
        place = (sixths + start) % 6
        channels.append(value - chroma * torch.minimum(place, 4 - place).clamp(0, 1))
    return torch.stack(channels, -3)


def to_grey(images: Tensor) -> Tensor:
    """Return luma `(..., 1, H, W)` by the weights of ITU-R BT.601."""
    red, green, blue = images.unbind(-3)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(-3)
