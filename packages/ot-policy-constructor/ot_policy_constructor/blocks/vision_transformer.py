"""Images as sequences of patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from offline_trainer_core import ComponentError, PositiveInt, UnitInterval
from ot_policy_constructor.blocks.activation import Activation
from ot_policy_constructor.blocks.images import check_images, each_image
from ot_policy_constructor.blocks.positions import Positions
from ot_policy_constructor.blocks.transformer import TransformerEncoder


class PatchEmbedding(nn.Module):
    """Projects the patches of an image to tokens (Dosovitskiy et al. 2021): `(..., C, H, W)` to `(..., N, dim)`.

    There are `N = (H / patch_size) * (W / patch_size)`, row by row. Null for `in_channels` takes them from the first
    batch. Raises `ComponentError` on an image that patches do not fill.
    """

    def __init__(self, patch_size: PositiveInt, dim: PositiveInt, in_channels: PositiveInt | None = 3) -> None:
        super().__init__()
        self.patch_size = patch_size
        if in_channels is None:
            self.projection: nn.Conv2d = nn.LazyConv2d(dim, patch_size, patch_size)
        else:
            self.projection = nn.Conv2d(in_channels, dim, patch_size, patch_size)

    def forward(self, image: Tensor) -> Tensor:
        """Return one token for every patch."""
        check_images(image, "block.patch_embedding")
        height, width = image.shape[-2:]
        if height % self.patch_size or width % self.patch_size:
            raise ComponentError(_unfilled(height, width, self.patch_size))
        return each_image(self.projection, image).flatten(-2).transpose(-1, -2)


class VisionTransformer(nn.Module):
    """Encodes an image by attention between its patches (Dosovitskiy et al. 2021): `(..., C, H, W)` to tokens.

    `output` is `tokens`: all patches, `(..., N, dim)`; `mean`: their mean, `(..., dim)`; or `class`: `(..., dim)`, the
    encoded class token, which only this output adds. `image_size` is one number for square images, else
    `[height, width]`; positions are learned. The other arguments are those of `block.patch_embedding` and of
    `block.transformer_encoder`. Raises `ValueError` on an image size that patches do not fill, `ComponentError` on
    images of another size.
    """

    def __init__(
        self,
        image_size: PositiveInt | Sequence[PositiveInt],
        patch_size: PositiveInt,
        dim: PositiveInt,
        depth: PositiveInt,
        heads: PositiveInt = 8,
        in_channels: PositiveInt | None = 3,
        output: Literal["class", "mean", "tokens"] = "tokens",
        feedforward_dim: PositiveInt | None = None,
        dropout: UnitInterval = 0.0,
        activation: Activation = "GELU",
    ) -> None:
        super().__init__()
        sides = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        if len(sides) != 2:
            raise ValueError(f"'image_size' is one number, or [height, width], not {list(sides)}")
        height, width = self.image_size = sides
        self.output = output
        if height % patch_size or width % patch_size:
            raise ValueError(_unfilled(height, width, patch_size))
        length = (height // patch_size) * (width // patch_size)
        self.patches = PatchEmbedding(patch_size, dim, in_channels)
        if output == "class":
            self.class_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, dim), std=0.02))
            length += 1
        self.positions = Positions(length, dim)
        self.dropout = nn.Dropout(dropout)
        self.encoder = TransformerEncoder(dim, depth, heads, feedforward_dim, dropout, activation)

    def forward(self, image: Tensor) -> Tensor:
        """Encode each image by itself."""
        check_images(image, "block.vision_transformer")
        if tuple(image.shape[-2:]) != self.image_size:
            (height, width), (given_height, given_width) = self.image_size, image.shape[-2:]
            raise ComponentError(
                f"block.vision_transformer has positions for images of {height} x {width}, and got {given_height} x "
                f"{given_width}: resize them, or say so by 'image_size'"
            )
        return each_image(self._encode, image)

    def _encode(self, image: Tensor) -> Tensor:
        tokens = self.patches(image)
        if self.output == "class":
            tokens = torch.cat([self.class_token.expand(tokens.shape[0], 1, -1), tokens], 1)
        encoded: Tensor = self.encoder(self.dropout(self.positions(tokens)))
        if self.output == "tokens":
            return encoded
        return encoded[:, 0] if self.output == "class" else encoded.mean(1)


def _unfilled(height: int, width: int, patch_size: int) -> str:
    return (
        f"patches of {patch_size} x {patch_size} do not fill an image of {height} x {width}: crop or resize it to "
        f"multiples of {patch_size}, or choose a 'patch_size' that divides both sides"
    )
