"""Convolutional blocks beside the same layers written by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ot_policy_constructor.blocks.conv import ConvBnAct, ResidualBlock

X = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(0))


def test_conv_bn_act_is_these_three():
    block = ConvBnAct(3, 4, activation="SiLU")
    conv, norm = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
    conv.load_state_dict(block.conv.state_dict())
    torch.testing.assert_close(block(X), F.silu(norm(conv(X))), rtol=0, atol=0)
    assert list(block.state_dict())[:3] == ["conv.weight", "norm.weight", "norm.bias"]


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_default_padding_keeps_the_size(kernel_size, dilation):
    assert ConvBnAct(3, 4, kernel_size, dilation=dilation)(X).shape == (2, 4, 9, 8)
    assert ConvBnAct(3, 4, kernel_size, stride=2, dilation=dilation)(X).shape == (2, 4, 5, 4)


def test_without_activation_a_block_may_be_negative():
    assert ConvBnAct(3, 4, activation=None)(X).min() < 0 <= ConvBnAct(3, 4)(X).min()


@pytest.mark.parametrize(("channels", "stride", "projects"), [(3, 1, False), (4, 1, True), (3, 2, True)])
def test_a_residual_block_adds_its_input_projected_where_the_shapes_differ(channels, stride, projects):
    block = ResidualBlock(3, channels, stride)
    assert isinstance(block.shortcut, nn.Identity) != projects
    expected = F.relu(block.conv2(block.conv1(X)) + block.shortcut(X))
    torch.testing.assert_close(block(X), expected, rtol=0, atol=0)
    assert expected.shape == (2, channels, -(-9 // stride), -(-8 // stride))


def test_a_residual_block_whose_branch_is_silent_is_its_shortcut():
    block = ResidualBlock(3, 3)
    nn.init.zeros_(block.conv2.norm.weight)
    torch.testing.assert_close(block(X), F.relu(X))
