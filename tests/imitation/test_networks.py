"""How model components hang together: who is handed what, and what is said where that does not fit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from offline_trainer_core import ComponentError
from ot_imitation.networks import Networks, Role

NETWORK = Role("decoder", needs=("actions", "time"))


class Camera(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 5)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"features": self.net(image)}


class Decoder(nn.Module):
    def forward(self, actions: Tensor, time: Tensor, tokens: Tensor, mask: Tensor | None = None) -> Any:
        return actions, time, tokens, mask


class Whatever(nn.Module):
    def forward(self, **anything: Any) -> Any:
        return anything


@pytest.fixture
def modules() -> dict[str, nn.Module]:
    return {"camera": Camera(), "decoder": Decoder()}


CONTEXT = {"vision": {"model": "camera", "inputs": {"image": "image"}}, "tokens": "$vision.features"}


def bound(modules: Any, context: Any = CONTEXT, network: Role = NETWORK) -> Networks:
    networks = Networks("algo.x", context, network=network)
    networks.bind(modules)
    return networks


def test_a_network_is_handed_what_its_signature_names(modules: dict[str, nn.Module]) -> None:
    networks, image = bound(modules), torch.randn(2, 3)
    context = networks.condition(modules, {"image": image})
    actions, time, tokens, mask = networks.call(modules, "network", context, actions="a", time="t", unasked="u")
    assert (actions, time, mask) == ("a", "t", None)
    assert torch.equal(tokens, modules["camera"](image)["features"])


def test_a_network_that_takes_everything_is_handed_everything(modules: dict[str, nn.Module]) -> None:
    modules["decoder"] = Whatever()
    networks = bound(modules)
    context = networks.condition(modules, {"image": torch.randn(2, 3)})
    assert set(networks.call(modules, "network", context, actions=1, time=2)) == {"vision", "tokens", "actions", "time"}


def test_without_a_context_the_fields_that_the_signature_names_are_taken() -> None:
    modules = {"model": Decoder()}
    networks = bound(modules, None, NETWORK._replace(component=None))
    assert networks.condition(modules, {"tokens": 7, "other": 8}) == {"tokens": 7}


def test_a_frozen_component_records_nothing_for_gradients(modules: dict[str, nn.Module]) -> None:
    networks, image = bound(modules), torch.randn(2, 3)
    assert networks.condition(modules, {"image": image})["tokens"].requires_grad
    modules["camera"].requires_grad_(False)
    assert networks.condition(modules, {"image": image})["tokens"].grad_fn is None


NEEDS = NETWORK.needs
THERE_ARE = "and there are: camera, decoder; did you mean"


@pytest.mark.parametrize(
    ("context", "network", "message"),
    [
        (CONTEXT, Role("decodr", NEEDS), rf"network names the model component 'decodr', {THERE_ARE} 'decoder'\?"),
        (CONTEXT, Role(None, NEEDS), "algo.x: say which model component is the 'network': camera, decoder"),
        ({"tokens": {"model": "camra", "inputs": {}}}, NETWORK, f"context names .* 'camra', {THERE_ARE} 'camera'"),
        (CONTEXT, Role("decoder", ("latent",)), "'decoder' takes no 'latent', but actions, mask, time, tokens"),
        ({"tokns": "image"}, NETWORK, "asks for 'tokens', and the context gives: tokns; did you mean 'tokns'"),
        ({**CONTEXT, "goal": "goal"}, NETWORK, "context.goal is handed to nobody: 'decoder' takes actions, mask, time"),
        ({"tokens": "$goal"}, NETWORK, r"algo.x: context.tokens: there is no entry '\$goal'"),
    ],
)
def test_what_does_not_fit_is_said(context: Any, network: Role, message: str, modules: dict[str, nn.Module]) -> None:
    with pytest.raises(ComponentError, match=message):
        bound(modules, context, network)
