"""A policy that sees pixels and a dotted state, with lazy layers and sampling: refused, trained, exported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from offline_trainer_core import load_policy, run
from offline_trainer_core.deploy import export_policy

CONFIGURATION = """
schema_version: 1
run: {name: camera, out_dir: runs, device: cpu, seed: 0}
imports: [demonstrations]
settings: {allowed_import_prefixes: [demonstrations]}
params: {side: 32}
data: {_type_: data.local.demonstrations, side: "${params.side}"}
normalize: {observation.state: mean_std, action: min_max}
model:
  components:
    camera:
      graph:
        inputs: [image]
        modules:
          pixels: {_type_: block.image_input, normalize: imagenet}
          backbone: {_type_: block.resnet, norm: GroupNorm, in_channels: null}
          narrow: {_type_: nn.Linear, in_features: null, out_features: 8}
        steps:
          - {call: module:pixels, args: [$image], out: pixels}
          - {call: module:backbone, args: [$pixels], out: features}
          - {call: module:narrow, args: [$features], out: vision}
        outputs: [$vision]
    encoder:
      graph:
        inputs: [state, vision]
        modules:
          net: {_type_: block.mlp, dims: [null, 16]}
        steps:
          - {call: op:cat, args: [[$state, $vision]], kwargs: {dim: -1}, out: both}
          - {call: module:net, args: [$both], out: code}
        outputs: {code: $code}
    decoder: {_type_: block.temporal_unet, action_dim: 2, widths: [8, 16], groups: 4, time_dim: 8}
algorithm:
  _type_: algo.flow_matching
  network: decoder
  action_shape: [4, 2]
  steps: 3
  context:
    vision: {model: camera, inputs: {image: observation.images.front}}
    encoded: {model: encoder, inputs: {state: observation.state, vision: $vision}}
    context: $encoded.code
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 1e-3}}
trainer: {_type_: trainer.default, max_steps: 2, log_every_n_steps: 1}
"""
DEMONSTRATIONS = '''
import torch


class Demonstrations:
    """Two batches of 4 windows: two images and states each, and 4 actions."""

    def __init__(self, side):
        generator = torch.Generator().manual_seed(0)
        self.batches = [self.batch(side, generator) for _ in range(2)]
        numbers = {"observation.state": 3, "action": 2}
        ends = {name: {"min": -torch.ones(size), "max": 3 * torch.ones(size)} for name, size in numbers.items()}
        self.stats = {name: {**each, "mean": each["max"] / 2, "std": each["max"]} for name, each in ends.items()}

    def batch(self, side, generator):
        image = torch.randint(256, (4, 2, side, side, 3), dtype=torch.uint8, generator=generator)
        state, action = torch.randn(4, 2, 3, generator=generator), torch.randn(4, 4, 2, generator=generator)
        return {"observation": {"images": {"front": image}, "state": state}, "action": action}

    def setup(self, stage):
        pass

    def train_dataloader(self):
        return self.batches

    def val_dataloader(self):
        return None


def register(registry):
    registry.register_module("data.local.demonstrations", Demonstrations)
'''


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the configuration and its data module, in which the tests are."""
    folder = tmp_path_factory.mktemp("camera")
    (folder / "camera.yaml").write_text(CONFIGURATION)
    (folder / "demonstrations.py").write_text(DEMONSTRATIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def trained(workplace: Path) -> Path:
    """The folder of a run of two steps."""
    return run("camera.yaml").dir


@pytest.mark.parametrize("channels", ["null", "3"])
def test_an_image_that_the_backbone_cannot_take_ends_in_one_message(workplace: Path, channels: str) -> None:
    """Where dimensions are open it is a real batch that fills them which is refused, else the first one of training."""
    backbone = f"model.components.camera.graph.modules.backbone.in_channels={channels}"
    command = [sys.executable, "-m", "offline_trainer_core", "run", "camera.yaml", "run.name=tiny", "params.side=24"]
    done = subprocess.run([*command, backbone], capture_output=True, text=True)
    assert done.returncode == 3
    said = done.stderr.strip().splitlines()
    assert said[0].startswith(
        "error: block.resnet takes images of at least 32 x 32, one cell of its feature map, and got"
    )
    assert "in model.components.camera.graph.steps[1] 'features' (module 'backbone', block.resnet)" in said[1]
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("form", ["safetensors", "torch.export", pytest.param("onnx", marks=pytest.mark.torture)])
def test_it_acts_alike_in_every_format_at_every_batch_size(trained: Path, form: str, tmp_path: Path) -> None:
    exported = export_policy(trained, form, tmp_path / "out")
    passport = exported.passport
    assert passport.parity.keys() == {"1", "3", "64"}
    assert max(passport.parity.values()) <= 1e-5
    assert passport.noise_shape == [4, 2]
    assert passport.observation == {
        "observation.images.front": {"shape": [2, 32, 32, 3], "dtype": "uint8"},
        "observation.state": {"shape": [2, 3], "dtype": "float32"},
    }
    original, written = load_policy(trained), load_policy(exported.folder, trust_code=True)
    images = torch.randint(256, (5, 2, 32, 32, 3), dtype=torch.uint8)
    seen = {"observation": {"state": torch.randn(5, 2, 3), "images": {"front": images}}}
    noise = torch.randn(5, 4, 2)
    torch.testing.assert_close(written(seen, noise), original(seen, noise), rtol=1e-5, atol=1e-5)
    assert not torch.allclose(written(seen, -noise), written(seen, noise), atol=1e-3)
