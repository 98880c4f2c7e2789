"""Blocks for images and chunks as a model file names them: compiled, exported, copied, pickled, trained."""

import pickle
from copy import deepcopy

import pytest
import torch
import yaml

from ot_policy_constructor import build_model

CAMERA = """
schema_version: 1
model:
  graph:
    inputs: [image, state]
    modules:
      eyes:
        _type_: block.image_input
        normalize: imagenet
        resize: [40, 48]
        augment:
          - {_type_: block.random_crop, size: [36, 40]}
          - {_type_: block.colour_jitter, brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.05}
      backbone: {_type_: block.resnet, norm: GroupNorm, output: map}
      keypoints: {_type_: block.spatial_softmax, num_keypoints: 8}
      blank: {_type_: block.camera_dropout, p: 0.5}
      modulate: {_type_: block.film, channels: 16}
    nodes:
      - {name: seen, call: "module:eyes", args: [$image]}
      - {name: features, call: "module:backbone", args: [$seen]}
      - {name: places, call: "module:keypoints", args: [$features]}
      - {name: some, call: "module:blank", args: [$places]}
      - {name: context, call: "module:modulate", args: [$some, $state]}
    outputs: [$context]
"""
CHAIN = """
schema_version: 1
model:
  sequential:
    inputs: [image]
    layers:
      - {_type_: block.image_input, normalize: symmetric}
      - {_type_: block.random_crop, size: [40, 44]}
      - {_type_: block.resnet, in_channels: null}
      - {_type_: nn.Linear, in_features: null, out_features: 6}
"""
UNET = """
schema_version: 1
model:
  graph:
    inputs: [actions, time, context]
    modules:
      unet: {_type_: block.temporal_unet, action_dim: 2, widths: [8, 16], groups: 4, time_dim: 8}
    nodes:
      - {name: velocity, call: "module:unet", kwargs: {actions: $actions, time: $time, context: $context}}
    outputs: [$velocity]
"""


def pixels(rows):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (64, 2, 48, 56, 3), dtype=torch.uint8, generator=generator)[:rows]


def numbers(rows, *shape):
    return torch.randn(64, *shape, generator=torch.Generator().manual_seed(1))[:rows]


INPUTS = {
    CAMERA: lambda rows: {"image": pixels(rows), "state": numbers(rows, 2, 5)},
    CHAIN: lambda rows: {"image": pixels(rows)},
    UNET: lambda rows: {
        "actions": numbers(rows, 8, 2),
        "time": numbers(rows).sigmoid(),
        "context": numbers(rows, 2, 5),
    },
}
SHAPES = {CAMERA: (2, 16), CHAIN: (2, 6), UNET: (8, 2)}

pytestmark = pytest.mark.parametrize("text", [CAMERA, CHAIN, UNET], ids=["camera", "chain", "unet"])


def made(text, registry):
    torch.manual_seed(0)
    model = build_model(yaml.safe_load(text), registry=registry)
    model(**INPUTS[text](2))  # gives dimensions that are left open their sizes
    return model


def answers(model, text, rows=3):
    torch.manual_seed(0)
    with torch.no_grad():
        return model(**INPUTS[text](rows))


def test_every_parameter_gets_a_gradient(text, registry):
    model = made(text, registry)
    assert answers(model, text).shape == (3, *SHAPES[text])
    model(**INPUTS[text](8)).square().sum().backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]


def test_only_training_is_random(text, registry):
    model = made(text, registry)
    inputs = INPUTS[text](8)
    with torch.no_grad():
        assert torch.equal(model(**inputs), model(**inputs)) == (text == UNET)
        model.eval()
        assert torch.equal(model(**inputs), model(**inputs))


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
def test_it_compiles_without_a_break(text, training, registry):
    model = made(text, registry).train(training)
    other = deepcopy(model)  # with running statistics of its own
    torch._dynamo.reset()
    compiled = torch.compile(other, fullgraph=True, backend="eager")
    torch.testing.assert_close(answers(compiled, text), answers(model, text))


@pytest.mark.slow
def test_it_exports_with_any_number_of_rows(text, registry):
    model = made(text, registry).eval()
    inputs = INPUTS[text](3)
    rows = torch.export.Dim("rows", min=1, max=64)
    program = torch.export.export(model, (), inputs, dynamic_shapes={name: {0: rows} for name in inputs})
    for count in (1, 3, 7):
        exported = program.module()(**INPUTS[text](count))
        torch.testing.assert_close(exported, answers(model, text, count), rtol=1e-4, atol=1e-5)


def test_a_copy_and_a_pickle_are_the_same_model(text, registry):
    model = made(text, registry).eval()
    expected = answers(model, text)
    for other in (deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301
        assert torch.equal(answers(other, text), expected)
        assert list(other.state_dict()) == list(model.state_dict())


def test_a_new_model_takes_the_weights_before_it_has_seen_a_batch(text, registry):
    model = made(text, registry).eval()
    fresh = build_model(yaml.safe_load(text), registry=registry).eval()
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(answers(fresh, text), answers(model, text))
