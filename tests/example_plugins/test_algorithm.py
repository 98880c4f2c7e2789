from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from ot_example_plugins.algorithm import SmoothImitation
from ot_example_plugins.io import Concatenate
from ot_example_plugins.loss import LogCosh


class PlainStep:
    """The trainer's `step` at its smallest: one real optimizer."""

    optimizers = ("model",)

    def __init__(self, model: nn.Module) -> None:
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.seen: list[Tensor] = []

    def optimize(self, names: Any, loss: Tensor) -> None:
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def observe(self, *, outputs: Tensor, targets: Tensor, batch: Any) -> None:
        self.seen.append(outputs)


def algorithm_for(model: nn.Module, **options: float) -> SmoothImitation:
    algorithm = SmoothImitation(**options)
    algorithm.setup(model=model, modules={"model": model}, io=Concatenate(["observation"]), loss=LogCosh())
    return algorithm


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))


def batch() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return {"observation": torch.randn(32, 3), "action": torch.randn(32, 1)}


def test_an_update_descends_imitation_plus_roughness() -> None:
    model, data = network(), batch()
    reference = deepcopy(model)
    algorithm = algorithm_for(model, weight=0.5, std=0.2)
    torch.manual_seed(2)
    logs = algorithm.update(data, PlainStep(model))

    torch.manual_seed(2)
    near = data["observation"] + 0.2 * torch.randn(32, 3)
    outputs = reference(data["observation"])
    imitation = torch.log(torch.cosh(outputs - data["action"])).mean()
    roughness = (reference(near) - outputs).square().mean()
    (imitation + 0.5 * roughness).backward()
    torch.testing.assert_close(logs["loss"], imitation)
    torch.testing.assert_close(logs["roughness"], roughness)
    for parameter, expected in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(parameter.detach(), expected.detach() - 0.1 * expected.grad)


def test_a_larger_weight_gives_a_smoother_policy() -> None:
    roughness = {}
    for weight in (0.0, 10.0):
        model = network()
        algorithm, step = algorithm_for(model, weight=weight, std=0.1), PlainStep(model)
        for _ in range(100):
            logs = algorithm.update(batch(), step)
        roughness[weight] = logs["roughness"].item()
    assert roughness[10.0] < 0.5 * roughness[0.0]


def test_it_acts_as_its_model_does_and_validates_without_noise() -> None:
    model, data = network(), batch()
    algorithm = algorithm_for(model)
    assert torch.equal(algorithm.act({"observation": data["observation"]}), model(data["observation"]))
    logs, outputs, targets = algorithm.validate(data)
    assert torch.equal(outputs, model(data["observation"]))
    assert targets is data["action"]
    torch.testing.assert_close(logs["loss"], torch.log(torch.cosh(outputs - targets)).mean())
