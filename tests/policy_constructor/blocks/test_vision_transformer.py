"""Patches beside unfolding, and the vision transformer beside one written by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from offline_trainer_core import ComponentError
from ot_policy_constructor.blocks.vision_transformer import PatchEmbedding, VisionTransformer

IMAGE = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))


def patches_by_hand(embedding, image):
    patches = F.unfold(image, embedding.patch_size, stride=embedding.patch_size).transpose(1, 2)
    return patches @ embedding.projection.weight.flatten(1).T + embedding.projection.bias


def encoded_by_hand(model, image):
    x = patches_by_hand(model.patches, image)
    if model.output == "class":
        x = torch.cat([model.class_token.expand(len(x), 1, -1), x], 1)
    x = x + model.positions.table
    dim = x.shape[-1]
    layer = nn.TransformerEncoderLayer(dim, 4, 4 * dim, 0.0, "gelu", batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, 2, nn.LayerNorm(dim), enable_nested_tensor=False)
    encoder.load_state_dict(model.encoder.state_dict())
    x = encoder(x)
    return {"tokens": x, "mean": x.mean(1), "class": x[:, 0]}[model.output]


def test_a_patch_embedding_is_a_product_with_every_patch(shaken):
    embedding = shaken(PatchEmbedding(4, 16))
    tokens = embedding(IMAGE)
    assert tokens.shape == (2, 6, 16)
    torch.testing.assert_close(tokens, patches_by_hand(embedding, IMAGE), rtol=0, atol=1e-5)


@pytest.mark.parametrize("output", ["class", "mean", "tokens"])
def test_a_vision_transformer_is_patches_positions_and_an_encoder(shaken, output):
    model = shaken(VisionTransformer([8, 12], 4, 16, depth=2, heads=4, output=output))
    torch.testing.assert_close(model(IMAGE), encoded_by_hand(model, IMAGE), rtol=0, atol=1e-5)


@pytest.mark.parametrize("output", ["class", "mean", "tokens"])
def test_further_leading_dimensions_are_kept(shaken, output):
    model = shaken(VisionTransformer([8, 12], 4, 16, depth=1, heads=4, output=output))
    history = torch.stack([IMAGE, IMAGE.flip(-1)], 1)
    torch.testing.assert_close(model(history), torch.stack([model(IMAGE), model(IMAGE.flip(-1))], 1))
    torch.testing.assert_close(model(IMAGE[0]), model(IMAGE)[0])


def test_null_takes_the_channels_from_the_first_batch():
    model = VisionTransformer([8, 12], 4, 16, depth=1, heads=4, in_channels=None)
    model(torch.zeros(1, 5, 8, 12))
    assert model.patches.projection.weight.shape == (16, 5, 4, 4)


def test_an_image_that_patches_do_not_fill_is_refused():
    with pytest.raises(ComponentError, match=r"patches of 5 x 5 do not fill an image of 8 x 12: crop or resize"):
        PatchEmbedding(5, 16)(IMAGE)
    with pytest.raises(ValueError, match=r"patches of 5 x 5 do not fill an image of 96 x 96"):
        VisionTransformer(96, 5, 16, depth=1)


def test_an_image_of_another_size_is_refused():
    model = VisionTransformer(8, 4, 16, depth=1, heads=4)
    with pytest.raises(
        ComponentError, match=r"images of 8 x 8, and got 8 x 12: resize them, or say so by 'image_size'"
    ):
        model(IMAGE)


def test_pixels_as_they_were_recorded_are_refused():
    with pytest.raises(ComponentError, match=r"block.vision_transformer takes floating images .* block.image_input"):
        VisionTransformer(8, 4, 16, depth=1, heads=4)(torch.zeros(1, 8, 8, 3, dtype=torch.uint8))
