"""ACT against its equations, and what its style encoder is for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from offline_trainer_core import ComponentError
from ot_imitation.act import ACT


class Style(nn.Module):
    def __init__(self, size: int = 6) -> None:
        super().__init__()
        self.net = nn.Linear(8 + 4 + 3, size)

    def forward(self, actions: Tensor, padding_mask: Tensor, state: Tensor) -> Tensor:
        self.seen = (actions, padding_mask)
        out: Tensor = self.net(torch.cat([actions.flatten(1), padding_mask.float(), state], dim=-1))
        return out


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3 + 3, 8)

    def forward(self, latent: Tensor, state: Tensor) -> Tensor:
        self.latent = latent.detach()
        out: Tensor = self.net(torch.cat([latent, state], dim=-1))
        return out.view(-1, 4, 2)


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 8)

    def forward(self, state: Tensor) -> Tensor:
        out: Tensor = self.net(state)
        return out.view(-1, 4, 2)


@pytest.fixture
def models() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {"style": Style(), "decoder": Decoder()}


def act(**options: Any) -> ACT:
    return ACT(network="decoder", style_encoder="style", latent_dim=3, **options)


def test_the_loss_is_the_papers(models: Any, step_for: Any, batch_of: Any, set_up: Any) -> None:
    algorithm, batch = set_up(act(kl_weight=7.0), models), batch_of()
    torch.manual_seed(5)
    logs = algorithm.update(batch, step_for({}))
    torch.manual_seed(5)
    mean, log_variance = models["style"](batch["action"], batch["action_is_pad"], batch["state"]).split(3, dim=-1)
    posterior = torch.distributions.Normal(mean, (log_variance / 2).exp())
    divergence = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(-1).mean()
    decoded = models["decoder"](posterior.rsample(), batch["state"])
    l1 = (decoded - batch["action"]).abs()[~batch["action_is_pad"]].mean()
    torch.testing.assert_close(logs["kl_divergence"], divergence)
    torch.testing.assert_close(logs["l1_loss"], l1)
    torch.testing.assert_close(logs["loss"], l1 + 7 * divergence)


def test_gradients_reach_the_style_encoder_through_the_latent(
    models: Any, step_for: Any, batch_of: Any, set_up: Any
) -> None:
    for kl_weight in (10.0, 0.0):
        before = models["style"].net.weight.clone()
        set_up(act(kl_weight=kl_weight), models).update(batch_of(), step_for(models))
        assert not torch.equal(models["style"].net.weight, before)


def test_the_latent_is_zero_when_acting_and_the_style_encoder_rests(models: Any, batch_of: Any, set_up: Any) -> None:
    algorithm = set_up(act(), models)
    actions = algorithm.act({"state": batch_of()["state"]})
    assert not hasattr(models["style"], "seen")
    assert torch.equal(models["decoder"].latent, torch.zeros(6, 3))
    assert torch.equal(actions, models["decoder"](torch.zeros(6, 3), batch_of()["state"]))


def test_validation_takes_the_mean_of_the_latent(models: Any, batch_of: Any, set_up: Any) -> None:
    algorithm, batch = set_up(act(), models), batch_of()
    (first, acted, _), (second, _, _) = algorithm.validate(batch), algorithm.validate(batch)
    assert first == second
    counted = ~batch["action_is_pad"]
    torch.testing.assert_close(first["action_error"], (acted - batch["action"]).abs()[counted].mean())
    mean = models["style"](batch["action"], batch["action_is_pad"], batch["state"])[:, :3]
    l1 = (models["decoder"](mean, batch["state"]) - batch["action"]).abs()[counted].mean()
    torch.testing.assert_close(first["l1_loss"], l1)


def test_without_a_style_encoder_it_is_regression(step_for: Any, batch_of: Any, set_up: Any) -> None:
    torch.manual_seed(0)
    model, batch = Plain(), batch_of()
    expected = (model(batch["state"]) - batch["action"]).abs()[~batch["action_is_pad"]].mean()
    logs = set_up(ACT(), model).update(batch, step_for({}))
    assert set(logs) == {"loss", "l1_loss"}
    torch.testing.assert_close(logs["loss"], expected)


def test_a_decoder_that_takes_a_latent_gets_zeros_where_nothing_encodes_style(
    models: Any, batch_of: Any, set_up: Any
) -> None:
    set_up(ACT(latent_dim=3), models["decoder"]).validate(batch_of())
    assert torch.equal(models["decoder"].latent, torch.zeros(6, 3))


def test_a_batch_without_a_mask_has_no_padding(models: Any, step_for: Any, batch_of: Any, set_up: Any) -> None:
    batch = batch_of()
    del batch["action_is_pad"]
    set_up(act(), models).update(batch, step_for({}))
    assert not models["style"].seen[1].any()


def test_what_does_not_fit_is_said(models: Any, step_for: Any, batch_of: Any, set_up: Any) -> None:
    with pytest.raises(ComponentError, match=r"style encoder returns shape \(6, 4\).*latent of 3 .* \('B', 6\)"):
        set_up(act(), {**models, "style": Style(4)}).update(batch_of(), step_for({}))
    with pytest.raises(ComponentError, match="forward of 'decoder' takes no 'latent', but state"):
        set_up(act(), {**models, "decoder": Plain()})
    with pytest.raises(ComponentError, match="style_encoder names the model component 'style'"):
        set_up(act(), {"decoder": Decoder()})
