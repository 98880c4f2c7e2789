"""Several sources as one sequence."""

import pytest
import torch

from offline_trainer_core import ComponentError
from ot_policy_constructor.blocks.tokens import TokenFusion

SOURCES = {"vision": 6, "state": 3}


@pytest.fixture
def fusion(shaken):
    return shaken(TokenFusion(SOURCES, 8))


@pytest.fixture
def vision():
    return torch.randn(2, 5, 6)


@pytest.fixture
def state():
    return torch.randn(2, 3)


def by_hand(fusion, vision, state):
    rows = []
    for sample in range(len(state)):
        seen = [fusion.projections["vision"].weight @ token + fusion.embedding[0] for token in vision[sample]]
        felt = fusion.projections["state"].weight @ state[sample] + fusion.embedding[1]
        rows.append(torch.stack([*seen, felt]))
    return torch.stack(rows)


def test_tokens_are_projected_marked_with_their_source_and_joined_in_the_order_of_the_sources(fusion, vision, state):
    expected = by_hand(fusion, vision, state)
    torch.testing.assert_close(fusion(state=state, vision=vision), expected, rtol=0, atol=1e-6)


def test_history_and_patches_become_one_sequence(fusion, vision, state):
    history = vision.reshape(2, 5, 1, 6).expand(2, 5, 4, 6)
    tokens = fusion(vision=history, state=state)
    assert tokens.shape == (2, 21, 8)
    torch.testing.assert_close(tokens[:, 0:20:4], fusion(vision=vision, state=state)[:, :5])


def test_sources_of_one_vector_are_told_apart(shaken):
    fusion = shaken(TokenFusion({"left": 3, "right": 3}, 8))
    fusion.projections["right"].load_state_dict(fusion.projections["left"].state_dict())
    x = torch.randn(2, 3)
    left, right = fusion(left=x, right=x).unbind(1)
    torch.testing.assert_close(right - left, (fusion.embedding[1] - fusion.embedding[0]).expand(2, 8))


def test_the_mask_of_all_is_that_of_each_and_empty_where_a_source_has_none(fusion, vision, state):
    padding = torch.tensor([[False, False, True, True, True], [False] * 5])
    tokens, mask = fusion(vision=vision, state=state, vision_padding_mask=padding)
    assert torch.equal(mask, torch.cat([padding, torch.zeros(2, 1, dtype=torch.bool)], 1))
    torch.testing.assert_close(tokens, fusion(vision=vision, state=state))


def test_a_vector_may_be_absent(fusion, vision, state):
    _, mask = fusion(vision=vision, state=state, state_padding_mask=torch.tensor([True, False]))
    assert mask.tolist() == [[False] * 5 + [True], [False] * 6]


def test_null_takes_the_size_of_a_source_from_the_first_batch(fusion, vision, state):
    lazy = TokenFusion({"vision": None, "state": None}, 8)
    lazy(vision=vision, state=state)
    lazy.load_state_dict(fusion.state_dict())
    torch.testing.assert_close(lazy(vision=vision, state=state), fusion(vision=vision, state=state))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["vision"], "the call lacks state; the sources are vision, state"),
        (["vision", "state", "touch"], "the call has unknown touch; the sources are"),
        (["state", "touch_padding_mask"], "the call lacks vision and has unknown touch_padding_mask"),
    ],
)
def test_a_call_with_other_sources_is_refused(fusion, given, message):
    with pytest.raises(ComponentError, match=message):
        fusion(**dict.fromkeys(given, torch.zeros(2, 3)))


@pytest.mark.parametrize("name", ["observation.state", "keys", "state_padding_mask"])
def test_a_source_whose_name_cannot_be_used_is_refused(name):
    with pytest.raises(ValueError, match=f"cannot be named '{name}'"):
        TokenFusion({name: 3}, 8)


def test_a_fusion_of_nothing_is_refused():
    with pytest.raises(ValueError, match="'sources' needs at least one source"):
        TokenFusion({}, 8)
