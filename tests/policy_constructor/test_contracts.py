from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from offline_trainer_core import Registry
from offline_trainer_core.testing import DistributionContract, ExporterContract, ModuleContract
from ot_policy_constructor import build_model
from ot_policy_constructor.blocks.action_transformer import ActionTransformer
from ot_policy_constructor.blocks.augmentation import CameraDropout, ColourJitter, RandomCrop
from ot_policy_constructor.blocks.conv import ConvBnAct, ResidualBlock
from ot_policy_constructor.blocks.ensemble import QEnsemble
from ot_policy_constructor.blocks.film import FiLM
from ot_policy_constructor.blocks.heads.categorical import CategoricalHead
from ot_policy_constructor.blocks.heads.deterministic import DeterministicHead
from ot_policy_constructor.blocks.heads.gaussian import GaussianHead, TanhGaussianHead
from ot_policy_constructor.blocks.heads.mixture import MixtureHead
from ot_policy_constructor.blocks.image_input import ImageInput
from ot_policy_constructor.blocks.mixture_of_experts import MixtureOfExperts
from ot_policy_constructor.blocks.mlp import MLP
from ot_policy_constructor.blocks.positions import Positions
from ot_policy_constructor.blocks.residual_mlp import ResidualMLP
from ot_policy_constructor.blocks.resnet import ResNet
from ot_policy_constructor.blocks.spatial_softmax import SpatialSoftmax
from ot_policy_constructor.blocks.temporal_unet import TemporalUNet
from ot_policy_constructor.blocks.time_embedding import TimeEmbedding
from ot_policy_constructor.blocks.transformer import TransformerDecoder, TransformerEncoder
from ot_policy_constructor.blocks.vision_transformer import PatchEmbedding, VisionTransformer
from ot_policy_constructor.blocks.vq_codebook import VQCodebook
from ot_policy_constructor.exports.onnx import ONNX
from ot_policy_constructor.exports.safetensors import Safetensors
from ot_policy_constructor.exports.torch_export import TorchExport


class TestDistribution(DistributionContract):
    distribution = "ot-policy-constructor"


class OnVectors(ModuleContract):
    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return (torch.linspace(-1, 1, 12).view(4, 3)[:count],)


class TestMLP(OnVectors):
    @pytest.fixture(autouse=True, params=[None, "LayerNorm", "RMSNorm", "BatchNorm1d"])
    def _norm(self, request: pytest.FixtureRequest) -> None:
        self.norm = request.param

    def make(self) -> MLP:
        return MLP([3, 8, 2], norm=self.norm, dropout=0.2)


class TestResidualMLP(OnVectors):
    def make(self) -> ResidualMLP:
        return ResidualMLP(3, 2, width=8, depth=2, dropout=0.2)


class TestConvBnAct(ModuleContract):
    def make(self) -> ConvBnAct:
        return ConvBnAct(2, 3)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return (torch.linspace(-1, 1, 4 * 2 * 5 * 5).sin().view(4, 2, 5, 5)[:count],)


class TestResidualBlock(TestConvBnAct):
    @pytest.fixture(autouse=True, params=[(2, 2, 1), (2, 4, 2)])
    def _shape(self, request: pytest.FixtureRequest) -> None:
        self.shape = request.param

    def make(self) -> ResidualBlock:
        return ResidualBlock(*self.shape)


class TestVQCodebook(OnVectors):
    exempt: ClassVar[dict[str, str]] = {"test_every_parameter_gets_a_gradient": "its codes are running means"}

    def make(self) -> VQCodebook:
        return VQCodebook(dim=3, codes=8)

    def outputs(self, module: nn.Module, count: int = 4) -> Tensor:
        return super().outputs(module, count)["quantized"]  # beside it are means over the batch


class TestMixtureOfExperts(OnVectors):
    def make(self) -> MixtureOfExperts:
        return MixtureOfExperts([3, 8, 2], experts=4)

    def outputs(self, module: nn.Module, count: int = 4) -> Tensor:
        return super().outputs(module, count)["output"]  # beside it are losses of the batch


class TestQEnsemble(ModuleContract):
    def make(self) -> QEnsemble:
        return QEnsemble(2, hidden=[8])

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return torch.linspace(-1, 1, 12).view(4, 3)[:count], torch.linspace(0, 1, 8).view(4, 2)[:count]

    def outputs(self, module: nn.Module, count: int = 4) -> Tensor:
        return super().outputs(module, count).T


class TestDeterministicHead(OnVectors):
    def make(self) -> nn.Module:
        return DeterministicHead([4, 2])


class TestGaussianHead(OnVectors):
    def make(self) -> nn.Module:
        return GaussianHead([4, 2])


class TestTanhGaussianHead(OnVectors):
    def make(self) -> nn.Module:
        return TanhGaussianHead([4, 2])


class TestMixtureHead(OnVectors):
    def make(self) -> nn.Module:
        return MixtureHead([4, 2])


class TestCategoricalHead(OnVectors):
    def make(self) -> nn.Module:
        return CategoricalHead([4, 2], bins=8)


PIXELS = torch.randint(0, 256, (4, 2, 40, 36, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


class TestImageInput(ModuleContract):
    def make(self) -> nn.Module:
        return ImageInput("imagenet", resize=(20, 18), augment=[RandomCrop((16, 16))])

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return (PIXELS[:count],)


class TestRandomCrop(ModuleContract):
    def make(self) -> nn.Module:
        return RandomCrop((16, 17))

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return (PIXELS[:count].movedim(-1, -3) / 255,)


class TestColourJitter(TestRandomCrop):
    def make(self) -> nn.Module:
        return ColourJitter(0.3, 0.3, 0.3, 0.1)


class TestCameraDropout(TestRandomCrop):
    def make(self) -> nn.Module:
        return CameraDropout(0.5)


class TestResNet(TestRandomCrop):
    @pytest.fixture(autouse=True, params=["BatchNorm2d", "GroupNorm"])
    def _norm(self, request: pytest.FixtureRequest) -> None:
        self.norm = request.param

    def make(self) -> nn.Module:
        return ResNet(18, self.norm, in_channels=None)


class TestSpatialSoftmax(TestRandomCrop):
    def make(self) -> nn.Module:
        return SpatialSoftmax(num_keypoints=5, learn_temperature=True)


class TestFiLM(ModuleContract):
    def make(self) -> nn.Module:
        return FiLM(3)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return PIXELS[:count, 0].movedim(-1, -3) / 255, torch.linspace(-1, 1, 20).view(4, 5)[:count]


class TestTemporalUNet(ModuleContract):
    def make(self) -> nn.Module:
        return TemporalUNet(2, widths=(8, 16), groups=4, time_dim=8)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        actions, context = torch.linspace(-3, 3, 64).sin().view(4, 8, 2), torch.linspace(-1, 1, 40).view(4, 2, 5)
        return actions[:count], torch.linspace(0, 1, 4)[:count], context[:count]


class TestTransformerEncoder(ModuleContract):
    @pytest.fixture(autouse=True, params=[{}, {"norm_first": False}, {"causal": True}])
    def _arguments(self, request: pytest.FixtureRequest) -> None:
        self.arguments = request.param

    def make(self) -> nn.Module:
        return TransformerEncoder(8, depth=2, heads=2, dropout=0.2, **self.arguments)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        tokens = torch.linspace(0, 300, 4 * 5 * 8).sin().view(4, 5, 8)
        return tokens[:count], (torch.arange(5) >= torch.tensor([5, 3, 1, 0])[:, None])[:count]


class TestTransformerDecoder(TestTransformerEncoder):
    def make(self) -> nn.Module:
        return TransformerDecoder(8, depth=2, heads=2, dropout=0.2, **self.arguments)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        tokens, padding_mask = super().inputs(count)
        return tokens[:, :3].cos(), tokens, padding_mask[:, :3], padding_mask


class TestPositions(ModuleContract):
    @pytest.fixture(autouse=True, params=["learned", "sinusoidal"])
    def _kind(self, request: pytest.FixtureRequest) -> None:
        self.kind = request.param

    def make(self) -> nn.Module:
        return Positions(6, 8, self.kind)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return (torch.linspace(-1, 1, 4 * 5 * 8).view(4, 5, 8)[:count],)


class TestTimeEmbedding(ModuleContract):
    def make(self) -> nn.Module:
        return TimeEmbedding(8)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return (torch.linspace(0, 1, 4)[:count],)


class TestPatchEmbedding(ModuleContract):
    def make(self) -> nn.Module:
        return PatchEmbedding(4, 8, in_channels=None)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        return (torch.linspace(-9, 9, 4 * 2 * 8 * 8).sin().view(4, 2, 8, 8)[:count],)


class TestVisionTransformer(TestPatchEmbedding):
    @pytest.fixture(autouse=True, params=["class", "mean", "tokens"])
    def _output(self, request: pytest.FixtureRequest) -> None:
        self.output = request.param

    def make(self) -> nn.Module:
        return VisionTransformer(8, 4, 8, depth=2, heads=2, in_channels=None, output=self.output, dropout=0.2)


class TestActionTransformer(ModuleContract):
    @pytest.fixture(autouse=True, params=["adaln", "token"])
    def _conditioning(self, request: pytest.FixtureRequest) -> None:
        self.conditioning = request.param

    def make(self) -> nn.Module:
        module = ActionTransformer(2, 3, 8, 2, 2, tokens_dim=8, time_conditioning=self.conditioning, dropout=0.2)
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.2)  # the last layer, and what the time does, begin at zero
        return module

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        tokens = torch.linspace(0, 300, 4 * 5 * 8).sin().view(4, 5, 8)
        actions, time = torch.linspace(-1, 1, 24).view(4, 3, 2), torch.linspace(0, 1, 4)
        return actions[:count], time[:count], tokens[:count], tokens[:count, :, 0] > 0


GRAPH = {
    "inputs": ["image", "state"],
    "modules": {
        "eyes": {"_type_": "block.conv_bn_act", "in_channels": 2, "out_channels": 3},
        "head": {"_type_": "block.mlp", "dims": [5, 8, 1]},
    },
    "nodes": [
        {"name": "seen", "call": "module:eyes", "args": ["$image"]},
        {"name": "pooled", "call": "op:mean", "args": ["$seen"], "kwargs": {"dim": [2, 3]}},
        {"name": "joined", "call": "op:cat", "args": [["$pooled", "$state"]]},
        {"name": "action", "call": "module:head", "args": ["$joined"]},
    ],
    "outputs": {"action": "$action"},
}


class TestGraph(ModuleContract):
    @pytest.fixture(autouse=True)
    def _registered(self, registry: Registry) -> None:
        self.registry = registry

    def make(self) -> nn.Module:
        return build_model({"schema_version": 1, "model": {"graph": GRAPH}}, registry=self.registry)

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        image = torch.linspace(-1, 1, 4 * 2 * 5 * 5).sin().view(4, 2, 5, 5)
        return image[:count], torch.linspace(0, 1, 8).view(4, 2)[:count]


class TestTokenFusion(TestGraph):
    """It takes its sources by name, as a graph hands them on."""

    def make(self) -> nn.Module:
        fusion = {"_type_": "block.token_fusion", "sources": {"image": None, "state": 2}, "dim": 4}
        call = {"call": "module:fusion", "kwargs": {"image": "$image", "state": "$state"}, "out": "tokens"}
        chain = {"inputs": ["image", "state"], "modules": {"fusion": fusion}, "steps": [call], "outputs": ["$tokens"]}
        return build_model({"schema_version": 1, "model": {"graph": chain}}, registry=self.registry)


class TestSequential(TestMLP):
    @pytest.fixture(autouse=True)
    def _registered(self, registry: Registry) -> None:
        self.registry = registry

    def make(self) -> nn.Module:
        layers = [{"_type_": "block.mlp", "dims": [3, 8, 2], "norm": self.norm, "dropout": 0.2}]
        chain = {"inputs": ["x"], "layers": layers}
        return build_model({"schema_version": 1, "model": {"sequential": chain}}, registry=self.registry)


class TestSafetensors(ExporterContract):
    def make(self) -> Safetensors:
        return Safetensors()


class TestTorchExport(ExporterContract):
    def make(self) -> TorchExport:
        return TorchExport()


@pytest.mark.slow
class TestONNX(ExporterContract):
    def make(self) -> ONNX:
        return ONNX()


HELD = {
    "block.action_transformer": TestActionTransformer,
    "block.camera_dropout": TestCameraDropout,
    "block.categorical_head": TestCategoricalHead,
    "block.colour_jitter": TestColourJitter,
    "block.conv_bn_act": TestConvBnAct,
    "block.deterministic_head": TestDeterministicHead,
    "block.film": TestFiLM,
    "block.gaussian_head": TestGaussianHead,
    "block.image_input": TestImageInput,
    "block.mixture_head": TestMixtureHead,
    "block.mixture_of_experts": TestMixtureOfExperts,
    "block.mlp": TestMLP,
    "block.patch_embedding": TestPatchEmbedding,
    "block.positions": TestPositions,
    "block.q_ensemble": TestQEnsemble,
    "block.random_crop": TestRandomCrop,
    "block.residual_block": TestResidualBlock,
    "block.residual_mlp": TestResidualMLP,
    "block.resnet": TestResNet,
    "block.spatial_softmax": TestSpatialSoftmax,
    "block.tanh_gaussian_head": TestTanhGaussianHead,
    "block.temporal_unet": TestTemporalUNet,
    "block.time_embedding": TestTimeEmbedding,
    "block.token_fusion": TestTokenFusion,
    "block.transformer_decoder": TestTransformerDecoder,
    "block.transformer_encoder": TestTransformerEncoder,
    "block.vision_transformer": TestVisionTransformer,
    "block.vq_codebook": TestVQCodebook,
    "export.onnx": TestONNX,
    "export.safetensors": TestSafetensors,
    "export.torch_export": TestTorchExport,
    "frontend.graph": TestGraph,
    "frontend.sequential": TestSequential,
}
WITHOUT_CONTRACT = {"nn", "op"}
"""Layers are torch's own; operations are compared with torch in tests of their own."""


def test_every_component_is_held_to_the_contract_of_its_kind(registry: Registry) -> None:
    entries = [entry for entry in registry.entries() if entry.distribution == "ot-policy-constructor"]
    assert {entry.key for entry in entries if entry.kind not in WITHOUT_CONTRACT} == set(HELD)
