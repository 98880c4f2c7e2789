"""Places a directed acyclic graph in layers (Sugiyama et al. 1981): igraph orders, then everything is moved together.

Units are points; y grows downwards.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from ot_policy_constructor.inspection.drawing.spacing import Piece, settle, straightened, uncrossed

__all__ = ["Edge", "Layout", "Point", "Vertical", "arrange"]

Point = tuple[float, float]
Vertical = tuple[float, float, float]
"""x, from y, to y."""


class Edge(NamedTuple):
    """From one vertex to another; it leaves and arrives so far right of their middles."""

    source: str
    target: str
    leaves: float = 0.0
    arrives: float = 0.0
    weight: float = 1.0
    """How much it matters that it is straight."""


@dataclass(frozen=True)
class Layout:
    """Where things are. The picture begins at (0, 0)."""

    places: Mapping[str, Point]
    """The middle of the upper side of every vertex."""
    routes: Sequence[Sequence[Vertical]]
    """For every edge the verticals through which it goes, one after the other; between layers it bends."""
    width: float
    height: float


class _Bend(NamedTuple):
    """Where an edge passes a layer on its way."""

    edge: int
    layer: int


_BEND = (8.0, 0.0)
_STRAIGHT = 4.0
"""How much more it matters that long edges are straight."""


def arrange(
    sizes: Mapping[str, tuple[float, float]],
    edges: Sequence[Edge],
    *,
    gap: tuple[float, float],
    highest: Collection[str] = (),
    lowest: Collection[str] = (),
) -> Layout:
    """Return places for vertices of these (width, height), at least `gap` apart across and down.

    Those in `highest` lie in the first layer, those in `lowest` in the last one.
    """
    layers = _layers(sizes, edges, highest, lowest)
    paths = [_path(number, edge, layers) for number, edge in enumerate(edges)]
    bends = {vertex: vertex.layer for path in paths for vertex in path if isinstance(vertex, _Bend)}
    everything: dict[Any, tuple[float, float]] = {**sizes, **dict.fromkeys(bends, _BEND)}
    pieces = [
        piece for edge, path in zip(edges, paths, strict=True) for piece in _pieces(edge, path, layers[edge.source])
    ]
    widths = {vertex: width for vertex, (width, _) in everything.items()}
    rows = _ordered({**layers, **bends}, pieces)
    if any(edge.leaves or edge.arrives for edge in edges):  # igraph takes every vertex for a point
        rows = uncrossed(rows, widths, pieces, gap[0])
    xs = straightened(rows, settle(rows, widths, pieces, gap[0]), widths, [path[1:-1] for path in paths], gap[0])
    left = min((xs[vertex] - everything[vertex][0] / 2 for vertex in xs), default=0.0)
    right = max((xs[vertex] + everything[vertex][0] / 2 for vertex in xs), default=0.0)
    bands, height = _bands([max(everything[vertex][1] for vertex in row) for row in rows], gap[1])
    places = {}
    for vertex, (_, tall) in sizes.items():
        top, bottom = bands[layers[vertex]]
        places[vertex] = (xs[vertex] - left, (top + bottom - tall) / 2)
    routes = [
        _route(edge, [(xs[vertex] - left, *bands[vertex.layer]) for vertex in path[1:-1]], sizes, places, layers, bands)
        for edge, path in zip(edges, paths, strict=True)
    ]
    return Layout(places, routes, right - left, height)


def _layers(
    sizes: Mapping[str, Any], edges: Sequence[Edge], highest: Collection[str], lowest: Collection[str]
) -> dict[str, int]:
    """Return the layer of every vertex: one below the lowest of what it comes from."""
    layers = dict.fromkeys(sizes, 0)
    for _ in sizes:  # a longest path has no more steps than there are vertices
        for edge in edges:
            layers[edge.target] = max(layers[edge.target], layers[edge.source] + 1)
    arriving = {edge.target for edge in edges}
    for vertex in sizes.keys() - arriving - set(highest):
        layers[vertex] = min((layers[e.target] for e in edges if e.source == vertex), default=1) - 1
    last = max(layers.values(), default=0)
    return {vertex: last if vertex in lowest else layer for vertex, layer in layers.items()}


def _path(number: int, edge: Edge, layers: Mapping[str, int]) -> list[Any]:
    bends = (_Bend(number, layer) for layer in range(layers[edge.source] + 1, layers[edge.target]))
    return [edge.source, *bends, edge.target]


def _pieces(edge: Edge, path: Sequence[Any], layer: int) -> list[Piece]:
    steps = list(pairwise(path))
    return [
        Piece(
            source,
            target,
            edge.leaves if source == edge.source else 0.0,
            edge.arrives if target == edge.target else 0.0,
            edge.weight if len(steps) == 1 else _STRAIGHT,
            layer + number,
        )
        for number, (source, target) in enumerate(steps)
    ]


def _ordered(levels: Mapping[Any, int], pieces: Sequence[Piece]) -> list[list[Any]]:
    """Return the vertices of every layer from left to right, so that few edges cross."""
    import igraph

    numbers = {vertex: number for number, vertex in enumerate(levels)}
    graph = igraph.Graph(
        len(numbers), [(numbers[piece.source], numbers[piece.target]) for piece in pieces], directed=True
    )
    found = graph.layout_sugiyama(layers=list(levels.values()), maxiter=1000) if numbers else []
    rows: list[list[Any]] = [[] for _ in range(max(levels.values(), default=-1) + 1)]
    for vertex in sorted(levels, key=lambda vertex: (found[numbers[vertex]][0], numbers[vertex])):
        rows[levels[vertex]].append(vertex)
    return rows


def _bands(heights: Sequence[float], gap: float) -> tuple[list[tuple[float, float]], float]:
    """Return from where to where every layer reaches, and the height of all."""
    bands, top = [], 0.0
    for height in heights:
        bands.append((top, top + height))
        top += height + gap
    return bands, max(0.0, top - gap)


def _route(
    edge: Edge,
    bends: list[Vertical],
    sizes: Mapping[str, tuple[float, float]],
    places: Mapping[str, Point],
    layers: Mapping[str, int],
    bands: Sequence[tuple[float, float]],
) -> list[Vertical]:
    (from_x, from_y), (to_x, to_y) = places[edge.source], places[edge.target]
    start = (from_x + edge.leaves, from_y + sizes[edge.source][1], bands[layers[edge.source]][1])
    end = (to_x + edge.arrives, bands[layers[edge.target]][0], to_y)
    return [start, *bends, end]
