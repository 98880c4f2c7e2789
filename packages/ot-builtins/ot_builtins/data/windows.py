"""Windows over episodes: some steps up to a moment, and a chunk of steps from it on, gathered without a loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from offline_trainer_core.errors import DataError
from offline_trainer_core.spelling import did_you_mean
from ot_builtins.data.statistics import part_of, statistics_of_blocks

__all__ = ["EpisodeWindows", "Span", "Steps", "moments", "spans"]


class Span(NamedTuple):
    """The steps of a field that a window holds, counted from its moment: `length` of them, the first at `start`."""

    start: int
    length: int
    masked: bool
    """Whether a batch has `<field>_is_pad` beside the field: True for every step that lies outside the episode."""


class Steps(Protocol):
    """What windows take a field from: a tensor `(N, ...)`, or what is read as if it were one."""

    @property
    def shape(self) -> torch.Size: ...

    def element_size(self) -> int: ...

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Return the steps with these numbers `(M,)` as `(M, ...)`; `dim` is 0."""


def spans(
    component: str, fields: Iterable[str], history: int, chunk: int, chunked: Sequence[str], chunk_from: str
) -> dict[str, Span]:
    """Return the steps of every field that a window holds. Raises `DataError`, which begins with `component`.

    Fields in `chunked` have a chunk that starts at the window's moment (`chunk_from: current`) or beside the first
    observation (`first_observation`); all others have the `history` of steps up to the moment.
    """
    names = list(fields)
    if history < 1 or chunk < 1:
        raise DataError(f"{component}: history and chunk must be at least 1")
    for name in chunked:
        if name not in names:
            raise DataError(
                f"{component}: chunked names '{name}', which is not among the fields{did_you_mean(name, names)}; "
                f"there are: {', '.join(names) or 'none'}"
            )
    if chunk_from not in ("current", "first_observation"):
        raise DataError(f"{component}: chunk_from is current or first_observation, not '{chunk_from}'")
    action = Span(0 if chunk_from == "current" else 1 - history, chunk, masked=True)
    observation = Span(1 - history, history, masked=False)
    return {name: action if name in chunked else observation for name in names}


def moments(ends: Tensor, episodes: Tensor, skip_last: int = 0) -> Tensor:
    """Return the numbers of all steps of `episodes`, each without its last `skip_last`.

    `ends` `(E,)` is one past the last step of every episode.
    """
    bounds = [0, *ends.tolist()]
    steps = [(bounds[episode], bounds[episode + 1] - skip_last) for episode in episodes.tolist()]
    return torch.cat([ends.new_empty(0), *(torch.arange(first, max(first, last)) for first, last in steps)])


class EpisodeWindows:
    """The windows at given moments of episodes that lie end to end. A row is a window.

    A step before the episode's first repeats the first, a step after its last repeats the last: a window never has a
    step of another episode. A batch has each field as `(B, length, ...)`, and `<field>_is_pad` as `(B, length)`.
    """

    def __init__(
        self,
        fields: Mapping[str, Steps],
        spans: Mapping[str, Span],
        moments: Tensor,
        ends: Tensor,
        device: torch.device,
    ) -> None:
        """`fields` `(N, ...)` lie on `device`; `moments` `(W,)` are steps in 0..N-1, `ends` `(E,)` one past each last
        step.
        """
        self.device = device
        self.row_bytes = sum(v.shape[1:].numel() * v.element_size() * spans[name].length for name, v in fields.items())
        self._fields, self._spans = fields, spans
        episodes = self._episodes = torch.searchsorted(ends, moments, right=True)
        starts = torch.cat([ends.new_zeros(1), ends[:-1]])
        self._bounds = torch.stack([moments, starts[episodes], ends[episodes] - 1], dim=1).to(device)
        self._offsets = {
            span: torch.arange(span.start, span.start + span.length, device=device) for span in spans.values()
        }

    def __len__(self) -> int:
        return len(self._bounds)

    def gather(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the windows with these numbers `(B,)`."""
        moments, first, last = self._bounds.index_select(0, rows).unsqueeze(-1).unbind(1)
        steps = {span: moments + offsets for span, offsets in self._offsets.items()}
        inside = {span: torch.clamp(wanted, first, last) for span, wanted in steps.items()}
        batch: dict[str, Tensor] = {}
        for name, values in self._fields.items():
            span = self._spans[name]
            batch[name] = values.index_select(0, inside[span].view(-1)).view(len(rows), span.length, *values.shape[1:])
            if span.masked:
                batch[f"{name}_is_pad"] = inside[span] != steps[span]
        return batch

    def relative_stats(self, field: str, reference: str, part: slice) -> dict[str, Tensor]:
        """Return the statistics of every step of `field` in a window less `reference[..., part]` at its moment.

        Steps outside the episode do not count. Raises `DataError` where the two cannot be subtracted.
        """
        present = part_of(self._fields, field, reference, part)
        return statistics_of_blocks(partial(self._differences, field, present))

    def _differences(self, field: str, present: Tensor) -> Iterator[Tensor]:
        """Yield the values of `field` less `present`, that of each window's moment: a block for each of its steps."""
        moments, first, last = self._bounds.unbind(1)
        for offset in self._offsets[self._spans[field]]:
            inside = (moments + offset).clamp(first, last) == moments + offset
            at = moments[inside]
            if len(at):  # a chunk may be longer than every episode
                yield self._fields[field].index_select(0, at + offset) - present.index_select(0, at)

    def name(self, rows: Tensor) -> list[dict[str, int]]:
        """Return the episode of each of the windows with these numbers `(B,)`, and the step in it of its moment."""
        rows = rows.cpu()
        moments, first, _ = self._bounds.cpu()[rows].unbind(1)
        found = zip(rows.tolist(), self._episodes[rows].tolist(), (moments - first).tolist(), strict=True)
        return [{"window": window, "episode": episode, "step": step} for window, episode, step in found]
