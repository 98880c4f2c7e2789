"""A policy: a scripted controller, to record demonstrations with and to compare with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class PendulumSwingUp:
    """Swings up and holds the pendulum of Gymnasium's `Pendulum-v1`: energy shaping, then a PD controller at the top.

    Maps `{field: (B, 3)}` or `(B, history, 3)` (cosine, sine, velocity in rad/s; upright is zero) to torques `(B, 1)`
    in N m within [-2, 2]. Source: Åström & Furuta 2000, "Swinging up a Pendulum by Energy Control".
    """

    limit = 2.0

    def __init__(self, field: str = "observation", pump: float = 4.0, stiffness: float = 12.0, damping: float = 3.0):
        self.field = field
        self.pump, self.stiffness, self.damping = pump, stiffness, damping

    def act(self, observation: Mapping[str, Tensor]) -> Tensor:
        state = observation[self.field]
        cosine, sine, velocity = (state[:, -1] if state.ndim == 3 else state).unbind(dim=-1)
        angle = torch.atan2(sine, cosine)
        # Joules, zero upright and at rest: a rod of 1 kg and 1 m, gravity 10 m/s^2.
        energy = velocity.square() / 6 + 5 * (cosine - 1)
        swing = -self.pump * energy * torch.where(velocity < 0, -1.0, 1.0)
        hold = -self.stiffness * angle - self.damping * velocity
        torque = torch.where((angle + 0.1 * velocity).abs() < 0.35, hold, swing)
        return torque.clamp(-self.limit, self.limit).unsqueeze(-1)
