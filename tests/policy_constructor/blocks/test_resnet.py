"""The image backbone beside torchvision's: its names and shapes as published, its function in plain operations."""

import pytest
import torch
from torch.nn import functional as F

from offline_trainer_core.errors import CheckpointError, ComponentError
from offline_trainer_core.networks import ModelOptions, load_weights_into
from ot_policy_constructor.blocks.resnet import ResNet

STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
PUBLISHED_PARAMETERS = {18: 11_689_512, 34: 21_797_672}
"""Of torchvision's resnet18 and resnet34, their classifier of 1000 classes included."""
CLASSIFIER = {"fc.weight": (1000, 512), "fc.bias": (1000,)}
IMAGES = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))


def published_shapes(depth):
    """Return names and shapes of the entries of torchvision's `state_dict`, without the classifier."""
    shapes = {"conv1.weight": (64, 3, 7, 7), **batch_norm("bn1", 64)}
    before = 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for block in range(STAGES[depth][stage - 1]):
            name = f"layer{stage}.{block}"
            shapes |= {f"{name}.conv1.weight": (width, before, 3, 3), **batch_norm(f"{name}.bn1", width)}
            shapes |= {f"{name}.conv2.weight": (width, width, 3, 3), **batch_norm(f"{name}.bn2", width)}
            if block == 0 and stage > 1:
                shapes |= {f"{name}.downsample.0.weight": (width, before, 1, 1)}
                shapes |= batch_norm(f"{name}.downsample.1", width)
            before = width
    return shapes


def batch_norm(name, width):
    vectors = {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {**vectors, f"{name}.num_batches_tracked": ()}


def reference(weights, images, depth, normalize):
    """Return the feature map, by plain operations on the named weights."""
    x = F.conv2d(images, weights["conv1.weight"], stride=2, padding=3)
    x = F.max_pool2d(F.relu(normalize(weights, "bn1", x)), 3, stride=2, padding=1)
    for stage, blocks in enumerate(STAGES[depth], start=1):
        for block in range(blocks):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = F.conv2d(x, weights[f"{name}.conv1.weight"], stride=stride, padding=1)
            y = F.relu(normalize(weights, f"{name}.bn1", y))
            y = normalize(weights, f"{name}.bn2", F.conv2d(y, weights[f"{name}.conv2.weight"], padding=1))
            if stride == 2:
                x = F.conv2d(x, weights[f"{name}.downsample.0.weight"], stride=2)
                x = normalize(weights, f"{name}.downsample.1", x)
            x = F.relu(x + y)
    return x


def by_batch(weights, name, x):
    mean, var, weight, bias = (weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return F.batch_norm(x, mean, var, weight, bias)


def by_sixteen_channels(weights, name, x):
    groups = x.unflatten(1, (-1, 16))
    var, mean = torch.var_mean(groups, (2, 3, 4), keepdim=True, correction=0)
    x = ((groups - mean) / (var + 1e-5).sqrt()).flatten(1, 2)
    return x * weights[f"{name}.weight"].view(-1, 1, 1) + weights[f"{name}.bias"].view(-1, 1, 1)


def trained(network):
    """Give the norms of `network` weights and statistics other than those that they begin with."""
    generator = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if value.ndim == 1:
            positive = name.endswith(("weight", "var"))
            drawn = torch.rand(value.shape, generator=generator)
            value.copy_(drawn + 0.5 if positive else drawn - 0.5)
    return network


@pytest.mark.parametrize("depth", [18, 34])
def test_names_and_shapes_are_torchvisions(depth):
    network = ResNet(depth)
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == published_shapes(depth)
    classifier = 512 * 1000 + 1000
    assert sum(p.numel() for p in network.parameters()) == PUBLISHED_PARAMETERS[depth] - classifier


@pytest.mark.parametrize("depth", [18, 34])
@pytest.mark.parametrize(("norm", "normalize"), [("BatchNorm2d", by_batch), ("GroupNorm", by_sixteen_channels)])
def test_features_are_those_of_plain_operations_on_the_same_weights(depth, norm, normalize):
    network = trained(ResNet(depth, norm, output="map")).double().eval()
    expected = reference(network.state_dict(), IMAGES.double(), depth, normalize)
    with torch.no_grad():
        features = network(IMAGES.double())
    torch.testing.assert_close(features, expected)
    assert features.shape == (2, 512, 2, 2)
    assert features.std() > 0.01


def test_a_vector_is_the_mean_of_the_map():
    network = ResNet(output="map").eval()
    with torch.no_grad():
        expected = network(IMAGES).mean((2, 3))
        network.output = "vector"
        torch.testing.assert_close(network(IMAGES), expected, rtol=0, atol=0)


def test_published_weights_load_when_the_classifier_is_left_out():
    generator = torch.Generator().manual_seed(2)
    shapes = {**published_shapes(18), **CLASSIFIER}
    weights = {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}
    network = ResNet()
    with pytest.raises(
        CheckpointError, match=r"unexpected \['fc.bias', 'fc.weight'\]; 'strict: false' loads what fits"
    ):
        load_weights_into(network, "camera", ModelOptions(weights=weights))
    load_weights_into(network, "camera", ModelOptions(weights=weights, strict=False))
    torch.testing.assert_close(network.layer4[1].bn2.running_var, weights["layer4.1.bn2.running_var"])


@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (0, 2)])
def test_any_number_of_leading_dimensions_is_kept(leading):
    network = ResNet(output="map").eval()
    images = torch.rand(*leading, 3, 33, 64)
    with torch.no_grad():
        features = network(images)
        assert features.shape == (*leading, 512, 2, 2)
        if leading == (2, 3):
            torch.testing.assert_close(features[1, 2], network(images[1, 2]))


def test_channels_that_are_left_open_are_those_of_the_first_batch():
    network = ResNet(in_channels=None)
    torch.manual_seed(0)
    network(torch.rand(2, 4, 32, 32))
    assert network.conv1.weight.shape == (64, 4, 7, 7)
    # He's initialisation by the outgoing connections, as of every other layer.
    assert network.conv1.weight.std().item() == pytest.approx((2 / (64 * 49)) ** 0.5, rel=0.05)
    with pytest.raises(ComponentError, match=r"takes floating images \(\.\.\., 4, H, W\)"):
        network(torch.rand(2, 3, 32, 32))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 3, 31, 64), "images of at least 32 x 32, .* got 31 x 64; 'resize' of block.image_input"),
        (torch.zeros(2, 1, 64, 64), r"takes floating images \(\.\.\., 3, H, W\), and got float32 \(2, 1, 64, 64\)"),
        (torch.zeros(2, 64, 64, 3, dtype=torch.uint8), "block.image_input makes them of recorded"),
    ],
)
def test_images_that_it_cannot_take_are_refused(images, message):
    with pytest.raises(ComponentError, match=message):
        ResNet()(images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 50}, "'depth' is one of 18, 34"),
        ({"norm": "LayerNorm"}, "'norm' is 'BatchNorm2d' or 'GroupNorm'"),
        ({"output": "logits"}, "'output' is 'map' or 'vector'"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResNet(**arguments)
