"""Vector quantisation: tokens from a codebook that follows what it quantises."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offline_trainer_core import Interval, PositiveInt, UnitInterval
from ot_policy_constructor.blocks.joined_batch import place_in_joined_batch, sum_over_processes

GOLDEN_RATIO = 2654435769
"""2**32 over the golden ratio: multiples of it, modulo 2**32, are spread evenly and without repetition (Knuth, TAOCP
vol. 3, 6.4)."""


class VQCodebook(nn.Module):
    """Replaces each vector by the nearest of `codes` vectors (van den Oord et al. 2017).

    `(..., dim)` to `{quantized: (..., dim), indices: (...), commitment_loss: (), perplexity: ()}`. The gradient of
    `quantized` passes straight through. `commitment_loss` is the mean squared distance from the codes, for an algorithm
    to add (their weight: 0.25). `perplexity` says how many codes are in use: from 1 to `codes`.

    The codes have no gradient. In training each is the running mean, with `decay`, of the vectors that it stands for
    (appendix A.1 of the paper). A code that is used less than `dead_below` times as often as the average one is
    replaced by a vector of the batch (Dhariwal et al. 2020, Zeghidour et al. 2022; their thresholds are numbers of
    uses, which depend on the batch size) and then counts as an average one; 0 keeps all codes.

    With `torch.distributed`, training counts the vectors of all processes, so that all keep the same codebook, which is
    the one of a single process with the joined batch: in training mode all of them must call it equally often.
    """

    def __init__(
        self,
        dim: PositiveInt,
        codes: PositiveInt,
        decay: Annotated[float, Interval(ge=0, lt=1)] = 0.99,
        dead_below: UnitInterval = 0.1,
    ) -> None:
        super().__init__()
        self.decay, self.dead_below = decay, dead_below
        self.register_buffer("codes", torch.randn(codes, dim))
        self.register_buffer("counts", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, dim))
        self.register_buffer("draws", torch.zeros((), dtype=torch.int64))
        self.codes: Tensor
        self.counts: Tensor
        self.sums: Tensor
        self.draws: Tensor

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the codes nearest to `x`, and in training move them towards it."""
        exact = x.float()
        vectors = exact.detach().flatten(0, -2)
        nearest = self._nearest(vectors)
        indices = nearest.reshape(x.shape[:-1])
        chosen = self.decode(indices)
        uses = torch.zeros_like(self.counts).index_add(0, nearest, torch.ones_like(vectors[:, 0]))
        if self.training:
            uses = self._learn(vectors, nearest, uses)
        used = uses / uses.sum()
        return {
            # Adds zero, and the gradient of x: its value is the code to the last bit.
            "quantized": chosen.to(x.dtype) + (x - x.detach()),
            "indices": indices,
            "commitment_loss": F.mse_loss(exact, chosen),
            "perplexity": torch.special.entr(used).sum().exp(),
        }

    def decode(self, indices: Tensor) -> Tensor:
        """Return the codes with these indices: `(...)` to `(..., dim)`."""
        return F.embedding(indices, self.codes)

    def _nearest(self, vectors: Tensor) -> Tensor:
        with torch.autocast(vectors.device.type, enabled=False):
            # The squared distance without the vector's own square, which is the same for all codes.
            return torch.addmm(self.codes.square().sum(1), vectors, self.codes.T, alpha=-2).argmin(1)

    @torch.no_grad()
    def _learn(self, vectors: Tensor, nearest: Tensor, uses: Tensor) -> Tensor:
        """Update the codebook; return how often each code was used on all processes."""
        sums = torch.zeros_like(self.sums).index_add(0, nearest, vectors)
        found = torch.cat([uses.unsqueeze(1), sums, self._draw(vectors)], dim=1)
        dim = vectors.shape[1]
        uses, sums, drawn = torch.split(sum_over_processes(found), [1, dim, dim], dim=1)
        counts = self.counts.unsqueeze(1).lerp(uses, 1 - self.decay)
        sums = self.sums.lerp(sums, 1 - self.decay)
        # The mean of a code that was not used stays what it is.
        codes = torch.where(uses > 0, sums / counts, self.codes)
        average = counts.mean()
        dead = counts < self.dead_below * average
        self.codes.copy_(torch.where(dead, drawn, codes))
        self.sums.copy_(torch.where(dead, average * drawn, sums))
        self.counts.copy_(torch.where(dead, average, counts).squeeze(1))
        return uses.squeeze(1)

    def _draw(self, vectors: Tensor) -> Tensor:
        """Draw a vector for every code from the joined batch; zeros stand for those that other processes have.

        What is drawn is a function of the buffer `draws`: it is the same on all processes, and after a resume.
        """
        first, total = place_in_joined_batch(vectors)
        turns = torch.arange(len(self.codes), device=vectors.device) + self.draws
        fraction = (turns * GOLDEN_RATIO) & (2**32 - 1)
        index = ((fraction * total) >> 32) - first
        here = (index >= 0) & (index < len(vectors))
        self.draws += len(self.codes)
        return torch.where(here.unsqueeze(1), vectors[index.clamp(0, len(vectors) - 1)], 0.0)
