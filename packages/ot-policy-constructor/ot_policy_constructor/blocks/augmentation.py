"""Augmentation of images on the device: drawn for each sample while training, never in eval mode, without host syncs.

A sample is an entry of the first dimension. All its images (time steps, cameras) are changed alike.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from offline_trainer_core import ComponentError, Interval, NonNegativeFloat, PositiveInt, UnitInterval
from ot_policy_constructor.blocks.colour import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation
from ot_policy_constructor.blocks.images import check_images


class RandomCrop(nn.Module):
    """Crops images, elsewhere for each sample: `(B, ..., C, H, W)` to `(B, ..., C, h, w)`; `size` is `[h, w]`.

    All time steps of a sample have the same crop (robomimic's and Diffusion Policy's crop randomizer). In eval mode the
    crop is the centre. Raises `ComponentError` where the images are smaller than the crop.
    """

    def __init__(self, size: tuple[PositiveInt, PositiveInt]) -> None:
        super().__init__()
        if len(size) != 2:
            raise ValueError(f"'size' is [height, width], not {list(size)}")
        self.size = tuple(size)

    def forward(self, images: Tensor) -> Tensor:
        """Return the crops."""
        check_images(images, "block.random_crop")
        (height, width), (h, w) = images.shape[-2:], self.size
        if h > height or w > width:
            raise ComponentError(f"block.random_crop cannot cut {h} x {w} out of images of {height} x {width}")
        if not self.training:
            top, left = (height - h) // 2, (width - w) // 2
            return images[..., top : top + h, left : left + w]
        if images.ndim == 3:
            return _cut(_cut(images[None], -2, h), -1, w)[0]
        return _cut(_cut(images, -2, h), -1, w)


class ColourJitter(nn.Module):
    """Changes the colours of images in [0, 1], otherwise for each sample: `(B, ..., 3, H, W)` to the same shape.

    Factors of `brightness`, `contrast` and `saturation` are uniform in `[max(0, 1 - x), 1 + x]`, the shift of `hue` in
    `[-x, x]` of the colour circle (at most 0.5). The formulas are torchvision's `ColorJitter`; the order is the one
    above, where torchvision draws it. In eval mode images are returned as they are. The images are not yet normalized:
    this is one of the `augment` of block.image_input, or follows one with `normalize: unit`.
    """

    def __init__(
        self,
        brightness: NonNegativeFloat = 0.0,
        contrast: NonNegativeFloat = 0.0,
        saturation: NonNegativeFloat = 0.0,
        hue: Annotated[float, Interval(ge=0, le=0.5)] = 0.0,
    ) -> None:
        super().__init__()
        if hue > 0.5:
            raise ValueError(f"'hue' is at most 0.5, half the colour circle, not {hue}")
        self.brightness, self.contrast, self.saturation, self.hue = brightness, contrast, saturation, hue

    def forward(self, images: Tensor) -> Tensor:
        """Return images with other colours."""
        check_images(images, "block.colour_jitter", channels=3)
        if not self.training:
            return images
        if self.brightness:
            images = adjust_brightness(images, _factor(images, self.brightness))
        if self.contrast:
            images = adjust_contrast(images, _factor(images, self.contrast))
        if self.saturation:
            images = adjust_saturation(images, _factor(images, self.saturation))
        if self.hue:
            images = adjust_hue(images, _uniform(images, -self.hue, self.hue))
        return images


class CameraDropout(nn.Module):
    """Blanks a whole camera with probability `p`, for each sample: its image or its features `(B, ...)` become zeros.

    What is kept is not scaled up, unlike in dropout of units (Srivastava et al. 2014): in eval mode, where nothing is
    blanked, a camera looks as it did in training. Each call draws anew: a graph blanks every camera by itself.
    """

    def __init__(self, p: UnitInterval) -> None:
        super().__init__()
        self.p = p

    def forward(self, camera: Tensor) -> Tensor:
        """Return `camera` with zeros for some samples."""
        if not self.training:
            return camera
        dropped = torch.rand(camera.shape[0], device=camera.device) < self.p
        return camera.masked_fill(dropped.view(-1, *[1] * (camera.ndim - 1)), 0)


def _cut(images: Tensor, dim: int, size: int) -> Tensor:
    """Return `size` rows or columns of `images (B, ..., C, H, W)` from a place that is drawn for each sample."""
    first = torch.randint(images.shape[dim] - size + 1, (images.shape[0],), device=images.device)
    index = first[:, None] + torch.arange(size, device=images.device)
    shape = [1] * images.ndim
    shape[0], shape[dim] = images.shape[0], size
    return images.take_along_dim(index.view(shape), dim)


def _factor(images: Tensor, strength: float) -> Tensor:
    return _uniform(images, max(0.0, 1 - strength), 1 + strength)


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """Return a number for each sample, to be multiplied with `images (B, ..., C, H, W)`."""
    samples = images.shape[0] if images.ndim > 3 else 1
    drawn = torch.rand(samples, device=images.device, dtype=images.dtype) * (high - low) + low
    return drawn.view(-1, *[1] * (images.ndim - 1))
