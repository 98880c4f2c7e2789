"""The convolutional network that denoises chunks of actions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core import ComponentError, PositiveInt
from ot_policy_constructor.blocks.film import FiLM
from ot_policy_constructor.blocks.time_embedding import TimeEmbedding


class TemporalUNet(nn.Module):
    """Conditional U-Net over time (Janner et al. 2022, Chi et al. 2023): predicts a chunk of actions from a noisy one.

    `actions (B, T, A)`, `time (B,)` in [0, 1] and `context (B, D)`, or `(B, H, D)`, which is flattened, to
    `(B, T, A)`. Every level has two residual blocks of convolutions over time with group norm and Mish, which time and
    context modulate feature-wise (FiLM). `widths` are the channels of the levels; each but the first has half the time
    steps of the one above, so `T` must be divisible by `2 ** (len(widths) - 1)`. Null for `context_dim` takes it from
    the first batch. Raises `ComponentError` on a `T` that is not, `ValueError` on an even `kernel_size` and on widths
    that `groups` does not divide.
    """

    def __init__(
        self,
        action_dim: PositiveInt,
        context_dim: PositiveInt | None = None,
        widths: Sequence[PositiveInt] = (256, 512, 1024),
        kernel_size: PositiveInt = 5,
        groups: PositiveInt = 8,
        time_dim: PositiveInt = 256,
    ) -> None:
        super().__init__()
        _check(widths, kernel_size, groups)
        self.stride = 2 ** (len(widths) - 1)
        self.time = nn.Sequential(
            TimeEmbedding(time_dim), nn.Linear(time_dim, 4 * time_dim), nn.Mish(), nn.Linear(4 * time_dim, time_dim)
        )
        condition_dim = None if context_dim is None else time_dim + context_dim

        def level(in_channels: int, channels: int) -> nn.ModuleList:
            shape = (channels, condition_dim, kernel_size, groups)
            return nn.ModuleList([ConditionalBlock(in_channels, *shape), ConditionalBlock(channels, *shape)])

        widths = list(widths)
        self.down = nn.ModuleList(level(before, width) for before, width in pairwise([action_dim, *widths]))
        self.downsample = nn.ModuleList(nn.Conv1d(width, width, 3, stride=2, padding=1) for width in widths[:-1])
        self.middle = level(widths[-1], widths[-1])
        upward = list(pairwise(widths[::-1]))
        self.up = nn.ModuleList(level(2 * below, width) for below, width in upward)
        self.upsample = nn.ModuleList(nn.ConvTranspose1d(w, w, 4, stride=2, padding=1) for _, w in upward)
        self.last = nn.Sequential(
            _conv_norm_mish(widths[0], widths[0], kernel_size, groups), nn.Conv1d(widths[0], action_dim, 1)
        )

    def forward(self, actions: Tensor, time: Tensor, context: Tensor) -> Tensor:
        """Return a chunk of the shape of `actions`."""
        if actions.shape[1] % self.stride:
            raise ComponentError(
                f"block.temporal_unet halves the time steps of a chunk {len(self.downsample)} times, and this one has "
                f"{actions.shape[1]}: take a multiple of {self.stride}, or fewer 'widths'"
            )
        condition = F.mish(torch.cat([self.time(time), context.flatten(1)], -1))
        x, skipped = actions.transpose(1, 2), []
        for index, blocks in enumerate(self.down):
            x = _run(blocks, self.downsample[index - 1](x) if index else x, condition)
            skipped.append(x)
        x = _run(self.middle, x, condition)
        # As in the published network, the features of the first level are not handed across.
        for blocks, upsample in zip(self.up, self.upsample, strict=True):
            x = upsample(_run(blocks, torch.cat([x, skipped.pop()], 1), condition))
        result: Tensor = self.last(x).transpose(1, 2)
        return result


class ConditionalBlock(nn.Module):
    """Two convolutions over time beside a shortcut: `x (B, in, T)` and a condition `(B, D)` to `(B, out, T)`.

    The condition modulates what is between the convolutions. The shortcut is the identity, or a convolution of width 1
    where the channels differ.
    """

    def __init__(
        self, in_channels: int, channels: int, condition_dim: int | None, kernel_size: int, groups: int
    ) -> None:
        super().__init__()
        self.conv1 = _conv_norm_mish(in_channels, channels, kernel_size, groups)
        self.film = FiLM(channels, condition_dim)
        self.conv2 = _conv_norm_mish(channels, channels, kernel_size, groups)
        self.shortcut = nn.Identity() if in_channels == channels else nn.Conv1d(in_channels, channels, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return `conv2(film(conv1(x), condition)) + shortcut(x)`."""
        out: Tensor = self.conv2(self.film(self.conv1(x), condition)) + self.shortcut(x)
        return out


def _conv_norm_mish(in_channels: int, channels: int, kernel_size: int, groups: int) -> nn.Sequential:
    conv = nn.Conv1d(in_channels, channels, kernel_size, padding=kernel_size // 2)
    return nn.Sequential(conv, nn.GroupNorm(groups, channels), nn.Mish())


def _run(blocks: nn.Module, x: Tensor, condition: Tensor) -> Tensor:
    for block in blocks.children():
        x = block(x, condition)
    return x


def _check(widths: Sequence[int], kernel_size: int, groups: int) -> None:
    if not widths:
        raise ValueError("'widths' needs the channels of at least one level")
    if kernel_size % 2 == 0:
        raise ValueError(f"'kernel_size' is odd, so that a convolution keeps the time steps, not {kernel_size}")
    odd = [width for width in widths if width % groups]
    if odd:
        raise ValueError(f"'groups' divides every one of 'widths', and {groups} does not divide {odd}")
