"""Where a network takes images in: recorded pixels become what convolutions work on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core import ComponentError, PositiveFloat, PositiveInt
from ot_policy_constructor.blocks.images import each_image

NORMALIZATIONS: dict[str, tuple[list[float], list[float]]] = {
    "unit": ([0.0], [1.0]),
    "symmetric": ([0.5], [0.5]),
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
}
"""Mean and deviation of the channels, of images in [0, 1]."""


class ImageInput(nn.Module):
    """Makes images of recorded pixels, on their device: uint8 `(..., H, W, C)` to float `(..., C, H, W)`.

    Black becomes 0 and white 1; then comes `resize: [H, W]`, bilinear with antialiasing; then the blocks of `augment`,
    which see images in [0, 1]; then `normalize`: `unit` leaves [0, 1], `symmetric` maps it to [-1, 1], `imagenet` takes
    the mean of ImageNet's channels away and divides by their deviation, as published backbones expect it. Images that
    are not uint8 are taken where `white` says which value is white, 255 or 1: looking at them would stop the device.
    Raises `ComponentError` on what is not an image.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        normalize: Literal["unit", "symmetric", "imagenet"] = "unit",
        resize: tuple[PositiveInt, PositiveInt] | None = None,
        augment: Sequence[nn.Module] = (),
        white: PositiveFloat | None = None,
    ) -> None:
        super().__init__()
        if normalize not in NORMALIZATIONS:
            raise ValueError(f"'normalize' is one of {', '.join(NORMALIZATIONS)}, not '{normalize}'")
        if resize is not None and len(resize) != 2:
            raise ValueError(f"'resize' is [height, width], not {list(resize)}")
        self.resize = None if resize is None else (resize[0], resize[1])
        self.white = white
        self.augment = nn.Sequential(*augment)
        for name, values in zip(("mean", "std"), NORMALIZATIONS[normalize], strict=True):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map `(..., H, W, C)` to `(..., C, H, W)`."""
        self._check(pixels.shape)
        images = pixels.movedim(-1, -3).to(self.mean.dtype) / self._white_of(pixels.dtype)
        if self.resize is not None and images.shape[-2:] != self.resize:
            images = each_image(self._resize, images)
        augmented: Tensor = self.augment(images)
        return (augmented - self.mean) / self.std

    def _resize(self, images: Tensor) -> Tensor:
        return F.interpolate(images, self.resize, mode="bilinear", antialias=True)

    def _check(self, shape: Sequence[int]) -> None:
        shape = tuple(shape)
        if len(shape) < 3 or shape[-1] > shape[-3]:
            where = "the channels seem to come first" if len(shape) > 2 else "these are no images"
            raise ComponentError(f"block.image_input takes images (..., H, W, C), and got {shape}: {where}")
        if len(self.mean) > 1 and shape[-1] != len(self.mean):
            raise ComponentError(
                f"'normalize: imagenet' is for images of 3 channels, and these are {shape} (..., H, W, C); "
                "'unit' and 'symmetric' take any"
            )

    def _white_of(self, dtype: torch.dtype) -> float:
        if dtype == torch.uint8:
            return 255.0
        if self.white is None:
            raise ComponentError(
                f"block.image_input takes uint8 images, and got {str(dtype).removeprefix('torch.')}: say which value "
                "is white, 'white: 255' or 'white: 1'"
            )
        return self.white
