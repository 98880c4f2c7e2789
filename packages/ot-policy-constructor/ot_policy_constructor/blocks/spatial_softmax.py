"""Where in an image its features are: keypoints instead of a feature map."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from offline_trainer_core import ComponentError, PositiveFloat, PositiveInt
from ot_policy_constructor.blocks.images import check_images, each_image


class SpatialSoftmax(nn.Module):
    """Spatial softmax (Levine et al. 2016, Finn et al. 2016): a feature map `(..., C, H, W)` to places `(..., 2 * K)`.

    Each channel is a distribution over the image, the softmax of its values divided by `temperature`; what comes out is
    its mean place `x, y`, one channel after the other, from -1 (left, top) to 1 (right, bottom). `num_keypoints` puts a
    1x1 convolution to K channels before it, which takes `in_channels`, by default those of the first batch; else K is
    C. `learn_temperature` learns its logarithm, so that it stays positive. Raises `ComponentError` on a map of one row
    or column.
    """

    def __init__(
        self,
        num_keypoints: PositiveInt | None = None,
        in_channels: PositiveInt | None = None,
        temperature: PositiveFloat = 1.0,
        learn_temperature: bool = False,
    ) -> None:
        super().__init__()
        if num_keypoints is None:
            self.keypoints: nn.Module = nn.Identity()
        elif in_channels is None:
            self.keypoints = nn.LazyConv2d(num_keypoints, 1)
        else:
            self.keypoints = nn.Conv2d(in_channels, num_keypoints, 1)
        self.temperature = temperature
        self.log_temperature = nn.Parameter(torch.tensor(math.log(temperature))) if learn_temperature else None

    def forward(self, features: Tensor) -> Tensor:
        """Return the places of the channels."""
        check_images(features, "block.spatial_softmax")
        height, width = features.shape[-2:]
        if min(height, width) < 2:
            raise ComponentError(
                f"block.spatial_softmax finds places in a feature map, and one of {height} x {width} has none: give "
                "the backbone larger images"
            )
        logits = each_image(self.keypoints, features)
        scale = self.temperature if self.log_temperature is None else self.log_temperature.exp()
        attention = (logits.flatten(-2) / scale).softmax(-1).view(logits.shape)
        return torch.stack([_mean_place(attention.sum(-2)), _mean_place(attention.sum(-1))], -1).flatten(-2)


def _mean_place(weights: Tensor) -> Tensor:
    """Return the mean of places from -1 to 1, `(..., N)` to `(...)`."""
    # No product of matrices: autocast would round it.
    places = torch.linspace(-1, 1, weights.shape[-1], device=weights.device, dtype=weights.dtype)
    return (weights * places).sum(-1)
