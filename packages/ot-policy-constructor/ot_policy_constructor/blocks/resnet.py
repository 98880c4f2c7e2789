"""The residual network as an image backbone."""

from __future__ import annotations

from typing import Annotated, Literal

from torch import Tensor, nn

from offline_trainer_core import ComponentError, ComponentOf, PositiveInt
from ot_policy_constructor.blocks.images import check_images, each_image

Norm = Annotated[Literal["BatchNorm2d", "GroupNorm"], ComponentOf("nn")]

STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
"""Blocks of each stage, by depth."""
STRIDE = 32
GROUP = 16
"""Channels that are normalized together by a group norm, as in Diffusion Policy."""


class ResNet(nn.Module):
    """Residual network (He et al. 2016) without its classifier: images `(..., C, H, W)` to features.

    `output: map` gives `(..., 512, ceil(H / 32), ceil(W / 32))`, `vector` its mean over the image, `(..., 512)`. Its
    parameters are named as in torchvision, whose published weights fit with `BatchNorm2d` and 3 channels (`strict:
    false`: the classifier `fc` is left out). `GroupNorm` has 16 channels in a group, and takes the place of batch norm
    where weights are averaged (Chi et al. 2023). Null for `in_channels` takes them from the first batch. Raises
    `ComponentError` on images that have other channels, or are smaller than 32 x 32, one cell of the feature map.
    """

    def __init__(
        self,
        depth: Literal[18, 34] = 18,
        norm: Norm = "BatchNorm2d",
        in_channels: PositiveInt | None = 3,
        output: Literal["map", "vector"] = "vector",
    ) -> None:
        super().__init__()
        if depth not in STAGES:
            raise ValueError(f"'depth' is one of {', '.join(map(str, STAGES))}, not {depth}")
        if output not in ("map", "vector"):
            raise ValueError(f"'output' is 'map' or 'vector', not '{output}'")
        self.output = output
        self.conv1 = _stem(in_channels)
        self.bn1 = _norm(norm, 64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        blocks = STAGES[depth]
        self.layer1 = _stage(64, 64, blocks[0], 1, norm)
        self.layer2 = _stage(64, 128, blocks[1], 2, norm)
        self.layer3 = _stage(128, 256, blocks[2], 2, norm)
        self.layer4 = _stage(256, 512, blocks[3], 2, norm)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of every image."""
        # A lazy first layer has 0 channels until it has seen a batch.
        check_images(images, "block.resnet", channels=self.conv1.in_channels or None)
        height, width = images.shape[-2:]
        if min(height, width) < STRIDE:
            raise ComponentError(
                f"block.resnet takes images of at least {STRIDE} x {STRIDE}, one cell of its feature map, and got "
                f"{height} x {width}; 'resize' of block.image_input makes them larger"
            )
        features = each_image(self._features, images)
        return features.mean((-2, -1)) if self.output == "vector" else features

    def _features(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        features: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return features


class _BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; their names are torchvision's."""

    def __init__(self, in_channels: int, channels: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, channels, 3, stride)
        self.bn1 = _norm(norm, channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv(channels, channels, 3)
        self.bn2 = _norm(norm, channels)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(_conv(in_channels, channels, 1, stride), _norm(norm, channels))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        result: Tensor = self.relu(out + shortcut)
        return result


class _LazyStem(nn.LazyConv2d):
    """A first convolution that takes its channels from the first batch, and begins as the others do."""

    cls_to_become = nn.Conv2d

    def reset_parameters(self) -> None:
        if self.in_channels:
            _begin(self)


def _stem(in_channels: int | None) -> nn.Conv2d:
    if in_channels is None:
        return _LazyStem(64, 7, stride=2, padding=3, bias=False)
    return _conv(in_channels, 64, 7, stride=2)


def _stage(in_channels: int, channels: int, blocks: int, stride: int, norm: Norm) -> nn.Sequential:
    first = _BasicBlock(in_channels, channels, stride, norm)
    return nn.Sequential(first, *(_BasicBlock(channels, channels, 1, norm) for _ in range(blocks - 1)))


def _conv(in_channels: int, channels: int, kernel_size: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(in_channels, channels, kernel_size, stride, padding=kernel_size // 2, bias=False)
    _begin(conv)
    return conv


def _begin(conv: nn.Conv2d) -> None:
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")


def _norm(norm: Norm, channels: int) -> nn.Module:
    if norm == "BatchNorm2d":
        return nn.BatchNorm2d(channels)
    if norm == "GroupNorm":
        return nn.GroupNorm(channels // GROUP, channels)
    raise ValueError(f"'norm' is 'BatchNorm2d' or 'GroupNorm', not '{norm}'")
