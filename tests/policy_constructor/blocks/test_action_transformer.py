"""The network of flow matching and diffusion policies: what its prediction depends on, and what not."""

import pytest
import torch

from offline_trainer_core import ComponentError
from ot_policy_constructor.blocks.action_transformer import ActionTransformer

BATCH, HORIZON, ACTION_DIM, COUNT, TOKENS_DIM = 3, 6, 2, 4, 10

pytestmark = pytest.mark.parametrize("time_conditioning", ["adaln", "token"])


@pytest.fixture
def make(shaken, time_conditioning):
    def make(**arguments):
        sizes = {"dim": 16, "depth": 2, "heads": 4, "tokens_dim": TOKENS_DIM}
        return shaken(ActionTransformer(ACTION_DIM, HORIZON, **sizes | arguments, time_conditioning=time_conditioning))

    return make


@pytest.fixture
def batch():
    return {
        "actions": torch.randn(BATCH, HORIZON, ACTION_DIM),
        "time": torch.rand(BATCH),
        "tokens": torch.randn(BATCH, COUNT, TOKENS_DIM),
    }


def test_an_untrained_network_predicts_zeros(make, batch, time_conditioning):
    new = ActionTransformer(ACTION_DIM, HORIZON, 16, 2, 4, time_conditioning=time_conditioning)
    assert torch.equal(new(**batch), torch.zeros(BATCH, HORIZON, ACTION_DIM))
    assert make()(**batch).abs().min() > 0


@pytest.mark.parametrize("name", ["actions", "time", "tokens"])
def test_the_prediction_of_a_sample_depends_on_all_that_is_its_own(make, batch, name):
    network = make()
    changed = batch | {name: batch[name].clone()}
    changed[name][1] = changed[name][1] / 2
    differs = (network(**changed) - network(**batch)).abs().flatten(1).amax(1) > 1e-6
    assert differs.tolist() == [False, True, False]


@pytest.mark.parametrize("causal", [False, True])
def test_only_a_causal_network_keeps_later_actions_from_earlier_ones(make, batch, causal):
    network = make(causal=causal)
    changed = batch | {"actions": torch.cat([batch["actions"][:, :4], torch.zeros(BATCH, 2, ACTION_DIM)], 1)}
    unchanged = torch.allclose(network(**changed)[:, :4], network(**batch)[:, :4], rtol=0, atol=1e-6)
    assert unchanged == causal


def test_actions_have_places_and_tokens_have_none(make, batch):
    network = make()
    swapped = batch | {"tokens": batch["tokens"].flip(1)}
    torch.testing.assert_close(network(**swapped), network(**batch), rtol=0, atol=1e-5)
    turned = network(**batch | {"actions": batch["actions"].flip(1)}).flip(1)
    assert not torch.allclose(turned, network(**batch), rtol=0, atol=1e-3)


def test_padded_tokens_do_not_count(make, batch):
    network = make()
    mask = torch.arange(COUNT).expand(BATCH, COUNT) >= 2
    fewer = network(**batch | {"tokens": batch["tokens"][:, :2]})
    torch.testing.assert_close(network(**batch, tokens_padding_mask=mask), fewer, rtol=0, atol=1e-5)
    assert not torch.allclose(network(**batch), fewer, rtol=0, atol=1e-3)


def test_a_sample_without_any_token_is_predicted_from_its_actions(make, batch):
    network = make()
    nothing = torch.ones(BATCH, COUNT, dtype=torch.bool)
    out = network(**batch, tokens_padding_mask=nothing)
    torch.testing.assert_close(out, network(**batch | {"tokens": -batch["tokens"]}, tokens_padding_mask=nothing))
    out.square().sum().backward()
    assert out.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_a_chunk_may_be_shorter_than_the_horizon_and_not_longer(make, batch):
    network = make()
    assert network(**batch | {"actions": batch["actions"][:, :3]}).shape == (BATCH, 3, ACTION_DIM)
    with pytest.raises(ComponentError, match="a sequence of 7 is longer than the 6 positions"):
        network(**batch | {"actions": torch.zeros(BATCH, 7, ACTION_DIM)})


def test_null_takes_the_size_of_a_token_from_the_first_batch(make, batch, time_conditioning):
    network = make()
    lazy = ActionTransformer(ACTION_DIM, HORIZON, 16, 2, 4, time_conditioning=time_conditioning)
    lazy(**batch)
    lazy.load_state_dict(network.state_dict())
    torch.testing.assert_close(lazy(**batch), network(**batch), rtol=0, atol=0)


def test_a_network_without_tokens_takes_none_and_one_with_tokens_needs_them(make, batch):
    without = make(tokens_dim=0)
    own = {name: batch[name] for name in ("actions", "time")}
    assert without(**own).shape == batch["actions"].shape
    with pytest.raises(ComponentError, match="takes no 'tokens': its 'tokens_dim' is 0"):
        without(**batch)
    with pytest.raises(ComponentError, match="needs 'tokens'; 'tokens_dim: 0' makes one without"):
        make()(**own)


def test_it_learns_the_flow_from_noise_to_the_chunk_that_belongs_to_its_tokens(time_conditioning):
    """Trained on the velocity, sampled by Euler steps along it (Lipman et al. 2023)."""
    torch.manual_seed(0)
    network = ActionTransformer(
        ACTION_DIM, HORIZON, 32, 2, 4, tokens_dim=TOKENS_DIM, time_conditioning=time_conditioning
    )
    tokens = torch.randn(BATCH, COUNT, TOKENS_DIM).repeat(8, 1, 1)
    chunks = torch.randn(BATCH, HORIZON, ACTION_DIM).repeat(8, 1, 1)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(150):
        noise, time = torch.randn_like(chunks), torch.rand(len(chunks))
        noisy = noise + time[:, None, None] * (chunks - noise)
        loss = (network(noisy, time, tokens) - (chunks - noise)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sampled = torch.randn_like(chunks)
    for step in range(10):
        sampled = sampled + network(sampled, torch.full((len(chunks),), step / 10), tokens).detach() / 10
    of_another = chunks.roll(1, 0)
    assert (sampled - chunks).square().mean() < 0.2 * (sampled - of_another).square().mean()
