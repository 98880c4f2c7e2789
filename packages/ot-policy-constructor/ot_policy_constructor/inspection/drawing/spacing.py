"""Moves the vertices of a layered graph sideways: as straight below each other as their order and widths allow."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from math import inf
from typing import Any, NamedTuple, TypeVar

__all__ = ["Piece", "crossings", "settle", "spaced", "straightened", "uncrossed"]

Vertex = TypeVar("Vertex", bound=Hashable)

_SWEEPS = 60


class Piece(NamedTuple):
    """An edge between vertices of neighbouring layers; it leaves and arrives so far right of their middles."""

    source: Hashable
    target: Hashable
    leaves: float
    arrives: float
    weight: float
    """How much it matters that it is straight."""
    layer: int
    """That of the source."""


def settle(
    rows: Sequence[Sequence[Vertex]], widths: Mapping[Vertex, float], pieces: Sequence[Piece], gap: float
) -> dict[Vertex, float]:
    """Return the middle of every vertex, with at least `gap` between neighbours in a row.

    Sweep by sweep, every row goes to where the edges would have it, as near as its own order allows.
    """
    pulls: dict[Hashable, list[tuple[Hashable, float, float]]] = {}
    for piece in pieces:
        pulls.setdefault(piece.source, []).append((piece.target, piece.arrives - piece.leaves, piece.weight))
        pulls.setdefault(piece.target, []).append((piece.source, piece.leaves - piece.arrives, piece.weight))
    xs: dict[Hashable, float] = {}
    for row in rows:
        xs |= dict(zip(row, spaced([0.0] * len(row), [1.0] * len(row), [widths[v] for v in row], gap), strict=True))
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 else reversed(rows):
            wishes, weights = [], []
            for vertex in row:
                pulling = pulls.get(vertex, [(vertex, 0.0, 1.0)])
                weights.append(sum(weight for _, _, weight in pulling))
                wishes.append(sum((xs[other] + shift) * weight for other, shift, weight in pulling) / weights[-1])
            xs |= dict(zip(row, spaced(wishes, weights, [widths[v] for v in row], gap), strict=True))
    return {vertex: xs[vertex] for row in rows for vertex in row}


def spaced(wishes: Sequence[float], weights: Sequence[float], widths: Sequence[float], gap: float) -> list[float]:
    """Return the places nearest to `wishes` (weighted squares) that keep the order and leave `gap` between all.

    Less the room that is taken by what stands left of each, this is isotonic regression: neighbours that want to pass
    each other are pooled (Barlow et al. 1972).
    """
    taken = [0.0]
    for left, right in pairwise(widths):
        taken.append(taken[-1] + (left + right) / 2 + gap)
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for wish, weight, offset in zip(wishes, weights, taken, strict=False):
        pools.append((wish - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (mean, heavy, many), (other, light, few) = pools.pop(-2), pools.pop()
            pools.append(((mean * heavy + other * light) / (heavy + light), heavy + light, many + few))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, taken, strict=False)]


def straightened(
    rows: Sequence[Sequence[Vertex]],
    xs: Mapping[Vertex, float],
    widths: Mapping[Vertex, float],
    chains: Iterable[Sequence[Vertex]],
    gap: float,
) -> dict[Vertex, float]:
    """Return `xs` with the vertices of every chain below each other, for as long as their neighbours leave room."""
    placed = dict(xs)
    sides = {vertex: side for row in rows for vertex, *side in zip(row, [None, *row], [*row[1:], None], strict=False)}

    def room(vertex: Vertex) -> tuple[float, float]:
        left, right = sides[vertex]
        low = -inf if left is None else placed[left] + (widths[left] + widths[vertex]) / 2 + gap
        return low, inf if right is None else placed[right] - (widths[right] + widths[vertex]) / 2 - gap

    for chain in chains:
        run: list[Vertex] = []
        low, high = -inf, inf
        for vertex in [*chain, None]:
            below = (inf, -inf) if vertex is None else room(vertex)
            if run and max(low, below[0]) > min(high, below[1]):
                middle = sum(placed[one] for one in run) / len(run)
                placed |= dict.fromkeys(run, min(max(middle, low), high))
                run, low, high = [], -inf, inf
            if vertex is not None:
                run.append(vertex)
                low, high = max(low, below[0]), min(high, below[1])
    return placed


def uncrossed(
    rows: Sequence[Sequence[Vertex]], widths: Mapping[Vertex, float], pieces: Sequence[Piece], gap: float
) -> list[list[Vertex]]:
    """Return `rows` with neighbours exchanged wherever then fewer edges cross."""
    best = [list(row) for row in rows]
    fewest = crossings(settle(best, widths, pieces, gap), pieces)
    trials = [(row, place) for row in range(len(best)) for place in range(len(best[row]) - 1)]
    improved = fewest > 0
    while improved:
        improved = False
        for row, place in trials:
            trial = [list(others) for others in best]
            trial[row][place : place + 2] = reversed(trial[row][place : place + 2])
            count = crossings(settle(trial, widths, pieces, gap), pieces)
            if count < fewest:
                best, fewest, improved = trial, count, count > 0
    return best


def crossings(xs: Mapping[Any, float], pieces: Sequence[Piece]) -> int:
    """Return how many pairs of `pieces` cross on their way from one layer to the next."""
    ends = [(xs[p.source] + p.leaves, xs[p.target] + p.arrives, p) for p in pieces]
    return sum(
        (one[0] - other[0]) * (one[1] - other[1]) < 0
        for one, other in combinations(ends, 2)
        if one[2].layer == other[2].layer
    )
