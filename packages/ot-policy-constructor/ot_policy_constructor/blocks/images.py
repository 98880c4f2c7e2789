"""What every block for images does: takes any number of leading dimensions, and refuses what is no image."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from offline_trainer_core import ComponentError


def each_image(function: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Apply a function of `(N, C, H, W)` to `(..., C, H, W)`; the leading dimensions are kept."""
    leading = images.shape[:-3]
    # Not `leading.numel()`, which ties an export to the batch size of its example.
    result = function(images.reshape(math.prod(leading), *images.shape[-3:]))
    return result.reshape(*leading, *result.shape[1:])


def check_images(images: Tensor, block: str, channels: int | None = None) -> None:
    """Raise `ComponentError` where `images` cannot be floating `(..., C, H, W)`, as block.image_input gives them."""
    fits = images.ndim >= 3 and (channels is None or images.shape[-3] == channels)
    if fits and images.is_floating_point():
        return
    dtype = str(images.dtype).removeprefix("torch.")
    raise ComponentError(
        f"{block} takes floating images (..., {channels or 'C'}, H, W), and got {dtype} {tuple(images.shape)}; "
        "block.image_input makes them of recorded (..., H, W, C)"
    )
