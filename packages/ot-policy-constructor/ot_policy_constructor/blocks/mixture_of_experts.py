"""Mixtures of experts: layers of which every token uses a few."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core import PositiveFloat, PositiveInt
from ot_policy_constructor.blocks.activation import Activation
from ot_policy_constructor.blocks.batched_mlp import BatchedMLP
from ot_policy_constructor.blocks.joined_batch import sum_over_processes


class MixtureOfExperts(nn.Module):
    """A router sends each token to the `top_k` experts that suit it best, and weighs what they make of it.

    `(..., dims[0])` to `{output: (..., dims[-1]), load_balancing_loss: (), router_z_loss: ()}`. Each expert is an MLP
    with the sizes `dims`; null for the input takes it from the first batch. The output is the sum over the chosen
    experts, weighted with their probabilities: with one, its probability among all (Fedus et al. 2022); with several,
    their probabilities among themselves (Lepikhin et al. 2021). The router works in float32 in every precision.

    The losses are for an algorithm to add with small weights. The load-balancing loss (Fedus et al. 2022, eq. 4) is 1
    where all experts are used alike and `experts / top_k` where always the same are; the paper weighs it with 0.01. The
    router z-loss (Zoph et al. 2022, eq. 5) keeps logits small: 0.001. With `torch.distributed`, the uses of all
    processes are counted in training, so that averaging over processes gives the losses of the joined batch.

    Without a `capacity_factor` every expert works on every token, and no token is lost: exact, and `experts / top_k`
    times the work that would be needed. With it an expert has, in training, `capacity_factor * tokens * top_k /
    experts` places, taken by first choices before second ones, and in the order of the batch. What finds no place adds
    nothing to the output, so put a residual connection around the block. In eval mode no token is lost, so that an
    action does not depend on the others in its batch.

    Raises `ValueError` on fewer than two sizes, and where `top_k` exceeds `experts`.
    """

    def __init__(
        self,
        dims: Sequence[PositiveInt | None],
        experts: PositiveInt = 8,
        top_k: PositiveInt = 2,
        activation: Activation = "GELU",
        capacity_factor: PositiveFloat | None = None,
    ) -> None:
        super().__init__()
        if top_k > experts:
            raise ValueError(f"'top_k' is {top_k}, and there are {experts} experts to choose from")
        self.top_k, self.capacity_factor = top_k, capacity_factor
        self.experts = BatchedMLP(experts, dims, activation)
        self.router = nn.LazyLinear(experts, bias=False) if dims[0] is None else nn.Linear(dims[0], experts, bias=False)
        self.register_buffer("numbers", torch.arange(experts), persistent=False)
        self.numbers: Tensor

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the output for every token, and the losses that keep the router in order."""
        tokens = x.flatten(0, -2)
        with torch.autocast(x.device.type, enabled=False):
            logits = self.router(tokens.float())
        probabilities = logits.softmax(-1)
        gates, chosen = probabilities.topk(self.top_k)
        if self.top_k > 1:
            gates = gates / gates.sum(-1, keepdim=True)
        if self.training and self.capacity_factor is not None:
            output = self._within_capacity(tokens, gates, chosen, self.capacity_factor)
        else:
            output = self._by_all(tokens, gates, chosen)
        return {
            "output": output.reshape(*x.shape[:-1], -1),
            "load_balancing_loss": self._imbalance(probabilities, chosen),
            "router_z_loss": logits.logsumexp(-1).square().mean(),
        }

    def _imbalance(self, probabilities: Tensor, chosen: Tensor) -> Tensor:
        uses = (chosen.unsqueeze(-1) == self.numbers).float().sum((0, 1))
        if self.training:
            uses = sum_over_processes(uses)
        return len(self.numbers) * (uses / uses.sum() * probabilities.mean(0)).sum()

    def _by_all(self, tokens: Tensor, gates: Tensor, chosen: Tensor) -> Tensor:
        """Let every expert work on every token, and weigh with zero what was not chosen."""
        outputs = self.experts(tokens.expand(len(self.numbers), -1, -1))
        weights = torch.zeros_like(outputs[..., 0].T).scatter(1, chosen, gates.to(outputs.dtype))
        return torch.einsum("ne,end->nd", weights, outputs)

    def _within_capacity(self, tokens: Tensor, gates: Tensor, chosen: Tensor, factor: float) -> Tensor:
        """Give every expert a fixed number of places, and let it work on those."""
        count, experts = len(tokens), len(self.numbers)
        places = math.ceil(factor * count * self.top_k / experts)
        wanted = chosen.T.flatten()  # first choices first
        turn = (wanted.unsqueeze(-1) == self.numbers).cumsum(0).gather(1, wanted.unsqueeze(-1)).squeeze(1) - 1
        nowhere = experts * places
        place = torch.where(turn < places, wanted * places + turn, nowhere)
        placed = tokens.new_zeros(nowhere + 1, tokens.shape[-1]).index_copy(0, place, tokens.repeat(self.top_k, 1))
        outputs = self.experts(placed[:-1].reshape(experts, places, -1)).flatten(0, 1)
        found = F.pad(outputs, (0, 0, 0, 1))[place].reshape(self.top_k, count, -1)
        return (found * gates.T.unsqueeze(-1).to(found.dtype)).sum(0)
