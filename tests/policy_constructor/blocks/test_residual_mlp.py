"""The residual network, beside its formula and beside a plain one."""

import pytest
import torch
from torch.nn import functional as F

from ot_policy_constructor.blocks.mlp import MLP
from ot_policy_constructor.blocks.residual_mlp import ResidualMLP


def by_hand(block: ResidualMLP, x: torch.Tensor) -> torch.Tensor:
    weights = dict(block.state_dict())

    def linear(name: str, value: torch.Tensor) -> torch.Tensor:
        return value @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    x = linear("0", x)
    for number in (1, 2):
        normed = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        normed = normed * weights[f"{number}.norm.weight"] + weights[f"{number}.norm.bias"]
        x = x + linear(f"{number}.layers.2", F.mish(linear(f"{number}.layers.0", normed)))
    return linear("4", F.mish(x))


@pytest.mark.parametrize("leading", [(5,), (5, 3)])
@pytest.mark.parametrize("in_features", [6, None])
def test_it_is_the_formula(leading: tuple[int, ...], in_features: int | None) -> None:
    torch.manual_seed(0)
    block, x = ResidualMLP(in_features, 4, width=16, depth=2), torch.randn(*leading, 6)
    out = block(x)
    torch.testing.assert_close(out, by_hand(block, x))
    assert out.shape == (*leading, 4)


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    block, x = ResidualMLP(6, 4, width=16, depth=2, dropout=0.5), torch.randn(5, 6)
    assert not torch.equal(block(x), block(x))
    assert torch.equal(block.eval()(x), block(x))


def error_of_passing_on(block: torch.nn.Module) -> float:
    """Return how well a network learns, in a few steps, to return what it is given."""
    optimizer = torch.optim.Adam(block.parameters(), lr=1e-3)
    for _ in range(60):
        x = torch.randn(128, 32)
        loss = F.mse_loss(block(x), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def test_what_it_is_given_passes_it_sooner_than_a_plain_one() -> None:
    torch.manual_seed(0)
    residual = error_of_passing_on(ResidualMLP(32, 32, width=128, depth=4, expansion=1))
    torch.manual_seed(0)
    plain = error_of_passing_on(MLP([32, *[128] * 9, 32], activation="Mish"))
    assert residual < 0.5 * plain


def test_an_unknown_activation_is_refused() -> None:
    with pytest.raises(ValueError, match="activation"):
        ResidualMLP(6, 4, activation="Misch")  # type: ignore[arg-type]
