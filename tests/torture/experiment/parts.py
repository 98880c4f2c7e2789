"""What the tortured run is made of: data, networks and an algorithm that draw random numbers wherever one can."""

import random
from copy import deepcopy

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ot_builtins.data.statistics import statistics


class NoisyPoints:
    """Samples `{observation (6,), action (2,), reward ()}`, augmented by all three global generators."""

    def __init__(self, samples, seed, augment=True):
        generator = torch.Generator().manual_seed(seed)
        self.observations = torch.randn(samples, 6, generator=generator)
        self.actions = torch.tanh(self.observations[:, :2] - self.observations[:, 2:4])
        self.augment = augment
        self.stats = {"observation": statistics(self.observations, "observation")}

    def __len__(self):
        return len(self.observations)

    def __getitem__(self, index):
        observation, action = self.observations[index].clone(), self.actions[index]
        if self.augment:
            observation += 0.1 * torch.randn(6)
            observation *= np.float32(np.random.uniform(0.9, 1.1))
            observation[random.randrange(6)] = 0.0
        return {"observation": observation, "action": action, "reward": -action.square().sum()}


class Actor(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        layers = [nn.Linear(6, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, 2)]
        self.layers = nn.Sequential(*layers, nn.Tanh())

    def forward(self, observation):
        return self.layers(observation)


class Critic(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(0.1), nn.Linear(hidden, 1)
        )

    def forward(self, observation, action):
        return self.layers(torch.cat([observation, action], dim=-1)).squeeze(-1)


class ActorCritic:
    """An actor and a critic with an optimizer each, and a target network that follows the critic."""

    action_field = "action"

    def setup(self, *, models, modules):
        self.models, self.modules = models, modules
        self.target = deepcopy(modules["critic"]).requires_grad_(False).eval()

    def update(self, batch, step):
        observation, action = batch["observation"], batch["action"]
        critic_loss = self.critic_loss(observation, action, batch["reward"])
        step.optimize("critic", critic_loss)
        chosen = self.models["actor"](observation)
        imitation = F.mse_loss(chosen, action)
        value = self.modules["critic"](observation, chosen).mean()
        step.optimize("actor", imitation - random.uniform(0.0, 0.1) * value)
        if step.boundary:
            self.follow()
        step.observe(outputs=chosen, targets=action, batch=batch)
        return {"critic_loss": critic_loss, "imitation": imitation}

    def critic_loss(self, observation, action, reward):
        noisy = action + 0.1 * torch.randn_like(action)
        discount = 0.9 + 0.01 * float(np.random.uniform())
        with torch.no_grad():
            wanted = reward + discount * self.target(observation, noisy)
        return F.mse_loss(self.models["critic"](observation, action), wanted)

    @torch.no_grad()
    def follow(self):
        """Move the target towards the critic."""
        torch._foreach_lerp_(list(self.target.parameters()), list(self.modules["critic"].parameters()), 0.05)
        torch._foreach_copy_(list(self.target.buffers()), list(self.modules["critic"].buffers()))

    def validate(self, batch):
        chosen = self.modules["actor"](batch["observation"])
        return {"loss": F.mse_loss(chosen, batch["action"])}, chosen, batch["action"]

    def act(self, observation):
        return self.modules["actor"](observation["observation"])

    def state_dict(self):
        return {"target": self.target.state_dict()}

    def load_state_dict(self, state):
        self.target.load_state_dict(state["target"])


class Probe:
    """Scores the policy on random observations, and so moves the generators of the process that evaluates."""

    def evaluate(self, policy, *, run, step):
        policy.reset(seed=step)
        return {"size": policy.act({"observation": torch.randn(8, 6)}).abs().mean().item()}


def register(registry):
    registry.register_module("dataset.local.noisy_points", NoisyPoints)
    registry.register_module("model.local.actor", Actor)
    registry.register_module("model.local.critic", Critic)
    registry.register_module("algo.local.actor_critic", ActorCritic)
    registry.register_module("eval.local.probe", Probe)
