from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from offline_trainer_core.errors import ComponentError
from ot_offline_rl.networks import DeterministicActor, TwinQ
from ot_offline_rl.td3_bc import TD3BC

MAX_ACTION = 1.5


@pytest.fixture
def models() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "actor": DeterministicActor(3, 2, hidden=(16, 16), max_action=MAX_ACTION),
        "critic": TwinQ(3, 2, hidden=(16, 16)),
    }


def algorithm_for(models: dict[str, nn.Module], **options: Any) -> TD3BC:
    algorithm = TD3BC(**options)
    algorithm.setup(models=models, modules=models)
    return algorithm


class Paper:
    """The paper's equations with a network for each function, written without any part of the implementation."""

    def __init__(self, models: dict[str, nn.Module], alpha: float = 2.5, delay: int = 2) -> None:
        self.alpha, self.delay, self.steps = alpha, delay, 0
        self.actor = deepcopy(models["actor"])
        self.critics = [self._member(models["critic"], i) for i in range(2)]
        self.target_actor, self.target_critics = deepcopy(self.actor), deepcopy(self.critics)
        critic_parameters = [p for critic in self.critics for p in critic.parameters()]
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=3e-4, fused=True)
        self.critic_optimizer = torch.optim.Adam(critic_parameters, lr=3e-4, fused=True)

    @staticmethod
    def _member(twin: nn.Module, index: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for packed in twin.layers:
            linear = nn.Linear(packed.weight.shape[2], packed.weight.shape[1])
            linear.weight.data = packed.weight.data[index].clone()
            linear.bias.data = packed.bias.data[index, 0].clone()
            layers += [linear, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def update(self, batch: dict[str, Tensor]) -> None:
        s, a, r, s2 = (batch[k] for k in ("observation", "action", "reward", "next_observation"))
        with torch.no_grad():
            noise = torch.clip(0.2 * MAX_ACTION * torch.randn_like(a), -0.5 * MAX_ACTION, 0.5 * MAX_ACTION)
            a2 = torch.clip(self.target_actor(s2) + noise, -MAX_ACTION, MAX_ACTION)
            q_next = [critic(torch.cat([s2, a2], 1))[:, 0] for critic in self.target_critics]
            y = r + 0.99 * torch.where(batch["terminated"], 0.0, torch.minimum(*q_next))
        errors = [((critic(torch.cat([s, a], 1))[:, 0] - y) ** 2).mean() for critic in self.critics]
        self._minimise(self.critic_optimizer, errors[0] + errors[1])
        if self.steps % self.delay == 0:
            pi = self.actor(s)
            q = self.critics[0](torch.cat([s, pi], 1))[:, 0]
            weight = self.alpha / q.abs().mean().item()
            self._minimise(self.actor_optimizer, -weight * q.mean() + ((pi - a) ** 2).mean())
            self._follow()
        self.steps += 1

    def _minimise(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        for other in (self.actor_optimizer, self.critic_optimizer):
            other.zero_grad()
        loss.backward()
        optimizer.step()

    def _follow(self) -> None:
        pairs = [(self.target_actor, self.actor), *zip(self.target_critics, self.critics, strict=True)]
        for target, online in pairs:
            for p, q in zip(target.parameters(), online.parameters(), strict=True):
                p.data = 0.995 * p.data + 0.005 * q.data

    def weights(self) -> list[Tensor]:
        networks = (self.actor, *self.critics, self.target_actor, *self.target_critics)
        return [p.detach() for network in networks for p in network.parameters()]


def weights_of(algorithm: TD3BC) -> list[Tensor]:
    """The same weights in the order of `Paper.weights`."""
    listed: list[Tensor] = []
    for actor, twin in ((algorithm.actor, algorithm.critic), (algorithm.targets["actor"], algorithm.targets["critic"])):
        listed += [p.detach() for p in actor.parameters()]
        for member in range(2):
            for layer in twin.layers:
                listed += [layer.weight.detach()[member], layer.bias.detach()[member, 0]]
    return listed


def train_both(models: Any, step_for: Any, transitions: Any, *, updates: int, **options: Any) -> tuple[TD3BC, Paper]:
    paper, algorithm, step = Paper(models), algorithm_for(models, **options), step_for(models)
    for index in range(updates):
        batch = transitions(seed=index)
        torch.manual_seed(index)
        algorithm.update(batch, step)
        torch.manual_seed(index)
        paper.update(batch)
        step.global_step += 1
    return algorithm, paper


def test_updates_follow_the_papers_equations(models: Any, step_for: Any, transitions: Any) -> None:
    algorithm, paper = train_both(models, step_for, transitions, updates=7)
    for ours, theirs in zip(weights_of(algorithm), paper.weights(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 2.0},
        {"policy_delay": 1},
        {"policy_noise": 0.1},
        {"tau": 0.01},
        {"discount": 0.9},
        {"max_action": 0.1},
    ],
)
def test_any_other_constant_leaves_the_papers_path(
    change: dict[str, float], models: Any, step_for: Any, transitions: Any
) -> None:
    algorithm, paper = train_both(models, step_for, transitions, updates=7, **change)
    pairs = zip(weights_of(algorithm), paper.weights(), strict=True)
    assert not all(torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6) for ours, theirs in pairs)


def test_the_actor_and_the_targets_move_only_at_delayed_updates(models: Any, step_for: Any, transitions: Any) -> None:
    algorithm, step = algorithm_for(models, policy_delay=3), step_for(models)
    moved = []
    for _ in range(6):
        before = [p.clone() for m in (models["actor"], algorithm.targets["critic"]) for p in m.parameters()]
        algorithm.update(transitions(), step)
        after = [p for m in (models["actor"], algorithm.targets["critic"]) for p in m.parameters()]
        moved.append(not all(torch.equal(a, b) for a, b in zip(before, after, strict=True)))
        step.global_step += 1
    assert moved == [True, False, False, True, False, False]


def test_targets_wait_while_gradients_accumulate(models: Any, step_for: Any, transitions: Any) -> None:
    algorithm, step = algorithm_for(models), step_for(models)
    before = {name: value.clone() for name, value in algorithm.targets.state_dict().items()}
    step.boundary = False
    algorithm.update(transitions(), step)
    assert all(torch.equal(value, before[name]) for name, value in algorithm.targets.state_dict().items())
    step.boundary = True
    algorithm.update(transitions(), step)
    assert not all(torch.equal(value, before[name]) for name, value in algorithm.targets.state_dict().items())


class NoHostSync(TorchDispatchMode):
    """Refuses the operations that make the host wait for the device or give results of unknown shape."""

    FORBIDDEN = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.equal", "aten.is_nonzero")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func).startswith(self.FORBIDDEN):
            raise AssertionError(f"{func} waits for the device")
        return func(*args, **(kwargs or {}))


def test_an_update_never_waits_for_the_device(models: Any, step_for: Any, transitions: Any) -> None:
    algorithm, step, batch = algorithm_for(models), step_for(models), transitions()
    with NoHostSync():
        algorithm.update(batch, step)
        with pytest.raises(AssertionError, match="waits"):
            batch["reward"].mean().item()


def act_after_training_on_a_bandit(step_for: Any, alpha: float) -> float:
    """Train where the reward is 1 - (action - 0.6)^2, every episode has one step, and the data's mean action is 0."""
    torch.manual_seed(0)
    models = {"actor": DeterministicActor(1, 1, hidden=(64,)), "critic": TwinQ(1, 1, hidden=(64,))}
    algorithm, step = TD3BC(alpha=alpha), step_for(models, lr=3e-3)
    algorithm.setup(models=models, modules=models)
    observation, terminated = torch.ones(128, 1), torch.ones(128)
    for _ in range(600):
        action = torch.rand(128, 1) * 2 - 1
        reward = 1 - (action - 0.6) ** 2
        batch = {"observation": observation, "action": action, "reward": reward, "terminated": terminated}
        algorithm.update({**batch, "next_observation": observation}, step)
        step.global_step += 1
    return algorithm.act({"observation": torch.ones(1, 1)}).item()


def test_it_finds_the_papers_trade_off_between_value_and_imitation(step_for: Any) -> None:
    # Where the gradient of pi^2 - alpha * Q(pi) / |Q(pi)|, with the denominator held, vanishes.
    best = 0.0
    for _ in range(50):
        weight = 2.5 / (1 - (best - 0.6) ** 2)
        best = 0.6 * weight / (1 + weight)
    assert abs(act_after_training_on_a_bandit(step_for, alpha=2.5) - best) < 0.1


def test_with_no_weight_on_its_critic_it_imitates_the_mean_action(step_for: Any) -> None:
    assert abs(act_after_training_on_a_bandit(step_for, alpha=0.0)) < 0.1


def test_columns_and_vectors_of_rewards_are_the_same(models: Any, step_for: Any, transitions: Any) -> None:
    losses = []
    for shape in ((16,), (16, 1)):
        torch.manual_seed(3)
        batch = transitions()
        batch |= {name: batch[name].reshape(shape) for name in ("reward", "terminated")}
        copies = deepcopy(models)
        losses.append(algorithm_for(copies).update(batch, step_for(copies))["critic_loss"])
    assert torch.equal(*losses)


def test_fields_may_lie_elsewhere_in_a_batch(models: Any, step_for: Any, transitions: Any) -> None:
    batch = transitions()
    moved = {**batch, "now": {"state": batch["observation"]}, "observation": None}
    torch.manual_seed(0)
    expected = algorithm_for(copies := deepcopy(models)).update(batch, step_for(copies))["critic_loss"]
    torch.manual_seed(0)
    algorithm = algorithm_for(copies := deepcopy(models), fields={"observation": "now.state"})
    assert torch.equal(algorithm.update(moved, step_for(copies))["critic_loss"], expected)


def test_a_misspelled_field_is_refused() -> None:
    with pytest.raises(ComponentError, match="no field 'observations' in a transition, which has observation, action"):
        TD3BC(fields={"observations": "x"})


def test_a_restart_in_the_middle_goes_on_the_same_way(models: Any, step_for: Any, transitions: Any) -> None:
    first, step = algorithm_for(models), step_for(models)
    for _ in range(3):
        first.update(transitions(), step)
        step.global_step += 1
    copies = deepcopy(models)
    second = algorithm_for(copies)
    second.load_state_dict(first.state_dict())
    for algorithm, networks in ((first, models), (second, copies)):
        torch.manual_seed(1)
        resumed = step_for(networks)
        resumed.global_step = step.global_step + 1
        algorithm.update(transitions(seed=1), resumed)
    pairs = zip(weights_of(first), weights_of(second), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_actor_losses_are_logged_when_the_actor_is_updated(models: Any, step_for: Any, transitions: Any) -> None:
    algorithm, step = algorithm_for(models), step_for(models)
    assert set(algorithm.update(transitions(), step)) == {"critic_loss", "q", "actor_loss", "imitation_loss"}
    step.global_step = 1
    assert set(algorithm.update(transitions(), step)) == {"critic_loss", "q"}


def test_validation_scores_the_policys_actions(models: Any, transitions: Any) -> None:
    algorithm, batch = algorithm_for(models), transitions()
    with torch.no_grad():
        logs, outputs, targets = algorithm.validate(batch)
    assert torch.equal(outputs, algorithm.act(batch))
    assert targets is batch["action"]
    torch.testing.assert_close(logs["imitation_loss"], ((outputs - targets) ** 2).mean())


def test_a_missing_component_is_named(models: Any) -> None:
    only = {"actor": models["actor"]}
    with pytest.raises(ComponentError, match=r"needs 'critic' under model\.components, which has actor"):
        TD3BC().setup(models=only, modules=only)


def test_a_critic_with_one_function_is_refused(models: Any, step_for: Any, transitions: Any) -> None:
    class OneQ(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(5, 1)

        def forward(self, observation: Tensor, action: Tensor) -> Tensor:
            return self.net(torch.cat([observation, action], dim=-1)).squeeze(-1)

    models["critic"] = OneQ()
    with pytest.raises(ComponentError, match=r"returned shape \(16,\).*the values of two functions, \(2, 16\)"):
        algorithm_for(models).update(transitions(), step_for(models))


class LazyCritic(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.LazyLinear(2)

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        return self.net(torch.cat([observation, action], dim=-1)).T


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_targets_of_lazy_models_start_as_their_models(step_for: Callable[..., Any], transitions: Any) -> None:
    models = {"actor": nn.Sequential(nn.LazyLinear(2), nn.Tanh()), "critic": LazyCritic()}
    algorithm = TD3BC()
    algorithm.materialize(batch=transitions(), models=models)
    algorithm.setup(models=models, modules=models)
    assert torch.equal(algorithm.targets["critic"].net.weight, models["critic"].net.weight)
    algorithm.update(transitions(), step_for(models))
    assert not torch.equal(algorithm.targets["critic"].net.weight, models["critic"].net.weight)
