"""Convolutional blocks for images `(B, C, H, W)`."""

from __future__ import annotations

from torch import Tensor, nn

from offline_trainer_core import NonNegativeInt, PositiveInt
from ot_policy_constructor.blocks.activation import Activation, make_activation


class ConvBnAct(nn.Sequential):
    """Convolution, batch normalization (Ioffe and Szegedy 2015), activation: `(B, in, H, W)` to `(B, out, H', W')`.

    With the default padding `H' = ceil(H / stride)` for odd kernels. Null for `in_channels` takes them from the first
    batch; `activation` is the name of a torch class, null leaves it out. The convolution has no bias: the norm has one.
    """

    def __init__(
        self,
        in_channels: PositiveInt | None,
        out_channels: PositiveInt,
        kernel_size: PositiveInt = 3,
        stride: PositiveInt = 1,
        padding: NonNegativeInt | None = None,
        dilation: PositiveInt = 1,
        groups: PositiveInt = 1,
        activation: Activation | None = "ReLU",
    ) -> None:
        super().__init__()
        padding = dilation * (kernel_size - 1) // 2 if padding is None else padding
        shape = (out_channels, kernel_size, stride, padding, dilation, groups)
        if in_channels is None:
            self.conv: nn.Conv2d = nn.LazyConv2d(*shape, bias=False)
        else:
            self.conv = nn.Conv2d(in_channels, *shape, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        if activation is not None:
            self.act = make_activation(activation)


class ResidualBlock(nn.Module):
    """The basic block of residual networks (He et al. 2016): `(B, in, H, W)` to `(B, out, ceil(H / stride), ...)`.

    Two 3x3 convolutions with batch norm beside a shortcut, and an activation of their sum. The shortcut is the identity
    where the shapes agree, else a 1x1 convolution with batch norm (their option B); so also where `in_channels` is null
    and taken from the first batch.
    """

    def __init__(
        self,
        in_channels: PositiveInt | None,
        out_channels: PositiveInt,
        stride: PositiveInt = 1,
        activation: Activation = "ReLU",
    ) -> None:
        super().__init__()
        self.conv1 = ConvBnAct(in_channels, out_channels, stride=stride, activation=activation)
        self.conv2 = ConvBnAct(out_channels, out_channels, activation=None)
        same = in_channels == out_channels and stride == 1
        project = None if same else ConvBnAct(in_channels, out_channels, 1, stride, activation=None)
        self.shortcut = project or nn.Identity()
        self.act = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """Return `act(conv2(conv1(x)) + shortcut(x))`."""
        out: Tensor = self.act(self.conv2(self.conv1(x)) + self.shortcut(x))
        return out
