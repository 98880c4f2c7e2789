"""From what a policy observes to one sequence of tokens."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from offline_trainer_core import ComponentError, PositiveInt

MASK = "_padding_mask"


class TokenFusion(nn.Module):
    """Joins several sources into one sequence: each `(B, D)` or `(B, ..., D)`, together `(B, L, dim)`.

    `sources` has the number of features of every source, null takes it from the first batch. A vector is one token, a
    sequence as many as it is long; further dimensions, such as history and patches, become one sequence. Tokens are
    projected to `dim`, a learned embedding says of each which source it is from (as in Devlin et al. 2019), and they
    stand in the order of `sources`. Raises `ValueError` on no sources and on a name that cannot be one of an argument
    and a module, `ComponentError` where a call lacks a source or has one too many.
    """

    def __init__(self, sources: Mapping[str, PositiveInt | None], dim: PositiveInt) -> None:
        super().__init__()
        if not sources:
            raise ValueError("'sources' needs at least one source with its number of features")
        self.projections = nn.ModuleDict()
        for name, size in sources.items():
            if not name.isidentifier() or name.endswith(MASK) or hasattr(self.projections, name):
                raise ValueError(f"a source cannot be named '{name}'")
            linear = nn.LazyLinear(dim, bias=False) if size is None else nn.Linear(size, dim, bias=False)
            self.projections[name] = linear
        self.embedding = nn.Parameter(0.02 * torch.randn(len(sources), dim))

    def forward(self, **sources: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the tokens of the sources, given by name; with `<source>_padding_mask` for some, also their mask.

        A source's mask, `(B)` or `(B, ...)`, has the shape of the source without its last dimension and is True where
        there is nothing. The mask of all, `(B, L)`, is returned beside the tokens if any is given.
        """
        self._check_names(sources)
        tokens = [
            _one_sequence(projection(sources[name]) + self.embedding[index])
            for index, (name, projection) in enumerate(self.projections.items())
        ]
        joined = torch.cat(tokens, 1)
        if len(sources) == len(tokens):
            return joined
        masks = [sources.get(name + MASK) for name in self.projections]
        return joined, torch.cat([_mask_of(*pair) for pair in zip(tokens, masks, strict=True)], 1)

    def _check_names(self, given: Mapping[str, Tensor]) -> None:
        lacking = [name for name in self.projections if name not in given]
        unknown = [name for name in given if name.removesuffix(MASK) not in self.projections]
        if lacking or unknown:
            faults = [f"lacks {', '.join(lacking)}"] if lacking else []
            faults += [f"has unknown {', '.join(unknown)}"] if unknown else []
            raise ComponentError(f"the call {' and '.join(faults)}; the sources are {', '.join(self.projections)}")


def _one_sequence(x: Tensor) -> Tensor:
    """Return `(B, D)` or `(B, ..., D)` as `(B, L, D)`."""
    return x[:, None] if x.ndim == 2 else x.flatten(1, -2)


def _mask_of(tokens: Tensor, mask: Tensor | None) -> Tensor:
    """Return the padding mask of a source as `(B, L)`; without one, all tokens are there."""
    if mask is None:
        return torch.zeros(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
    return mask.reshape(tokens.shape[:2])
