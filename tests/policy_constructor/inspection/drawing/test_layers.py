"""Nothing overlaps, order is kept, and what can be straight is straight."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ot_policy_constructor.inspection.drawing.layers import Edge, arrange
from ot_policy_constructor.inspection.drawing.spacing import Piece, crossings, spaced, straightened, uncrossed

pytest.importorskip("igraph")
GAP = (10.0, 20.0)


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 12))
    size = st.tuples(st.floats(5, 90), st.floats(5, 60))
    sizes = {f"v{number}": draw(size) for number in range(count)}
    pairs = [pair for pair in combinations(sizes, 2) if draw(st.booleans())]
    return sizes, [Edge(source, target) for source, target in pairs]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_vertices_never_overlap_and_lie_inside_the_picture(graph):
    sizes, edges = graph
    layout = arrange(sizes, edges, gap=GAP)
    boxes = {}
    for vertex, (width, height) in sizes.items():
        middle, top = layout.places[vertex]
        boxes[vertex] = (middle - width / 2, top, middle + width / 2, top + height)
        assert boxes[vertex][0] >= -1e-6
        assert boxes[vertex][2] <= layout.width + 1e-6
        assert boxes[vertex][3] <= layout.height + 1e-6
    for (_, one), (_, other) in combinations(boxes.items(), 2):
        apart = max(other[0] - one[2], one[0] - other[2])
        above = max(other[1] - one[3], one[1] - other[3])
        assert apart >= GAP[0] - 1e-6 or above >= 0


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_edges_go_down_from_their_source_to_their_target_and_through_no_vertex(graph):
    sizes, edges = graph
    layout = arrange(sizes, edges, gap=GAP)
    for edge, route in zip(edges, layout.routes, strict=True):
        assert route[0][0] == layout.places[edge.source][0]
        assert route[-1][2] == layout.places[edge.target][1]
        heights = [y for _, top, bottom in route for y in (top, bottom)]
        assert heights == pytest.approx(sorted(heights))
        for vertex, (width, height) in sizes.items():
            middle, top = layout.places[vertex]
            for x, from_y, to_y in route[1:-1]:
                assert abs(x - middle) > width / 2 or to_y <= top or from_y >= top + height


@settings(max_examples=20, deadline=None)
@given(graphs())
def test_the_same_graph_has_the_same_places(graph):
    sizes, edges = graph
    assert arrange(sizes, edges, gap=GAP) == arrange(sizes, edges, gap=GAP)


def test_a_chain_is_straight():
    sizes = {"a": (30.0, 10.0), "b": (80.0, 10.0), "c": (10.0, 10.0)}
    layout = arrange(sizes, [Edge("a", "b"), Edge("b", "c")], gap=GAP)
    assert len({round(x, 6) for x, _ in layout.places.values()}) == 1
    assert [round(top) for _, top in layout.places.values()] == [0, 30, 60]


def test_inputs_lie_in_the_first_layer_and_outputs_in_the_last_one():
    sizes = dict.fromkeys(("early", "late", "body", "more", "out", "side"), (10.0, 10.0))
    edges = [
        Edge("early", "body"),
        Edge("body", "more"),
        Edge("late", "more"),
        Edge("more", "out"),
        Edge("early", "side"),
    ]
    free = arrange(sizes, edges, gap=GAP)
    assert free.places["late"][1] == free.places["body"][1]
    pinned = arrange(sizes, edges, gap=GAP, highest=["early", "late"], lowest=["side", "out"])
    assert pinned.places["late"][1] == pinned.places["early"][1] == 0
    assert pinned.places["side"][1] == pinned.places["out"][1]


def test_where_an_edge_leaves_counts_for_what_crosses():
    sizes = {"box": (100.0, 20.0), "a": (20.0, 10.0), "b": (20.0, 10.0)}
    for left, right in (("a", "b"), ("b", "a")):
        layout = arrange(sizes, [Edge("box", left, leaves=-40.0), Edge("box", right, leaves=40.0)], gap=GAP)
        assert layout.places[left][0] < layout.places[right][0]


def test_places_are_the_nearest_that_keep_the_distance():
    assert spaced([0.0, 100.0], [1.0, 1.0], [10.0, 10.0], 5.0) == [0.0, 100.0]
    assert spaced([50.0, 50.0], [1.0, 1.0], [10.0, 10.0], 5.0) == [42.5, 57.5]
    assert spaced([50.0, 50.0], [3.0, 1.0], [10.0, 10.0], 5.0) == [46.25, 61.25]


def test_neighbours_are_exchanged_where_edges_cross():
    rows = [["a", "b"], ["c", "d"]]
    pieces = [Piece("a", "d", 0, 0, 1, 0), Piece("b", "c", 0, 0, 1, 0)]
    widths = dict.fromkeys("abcd", 10.0)
    assert crossings({"a": 0, "b": 20, "c": 0, "d": 20}, pieces) == 1
    found = uncrossed(rows, widths, pieces, 5.0)
    assert found in ([["b", "a"], ["c", "d"]], [["a", "b"], ["d", "c"]])


def test_a_long_edge_is_straight_as_far_as_its_neighbours_let_it():
    rows = [["n0", "e0"], ["n1", "e1"], ["e2"]]
    xs = {"n0": 0.0, "e0": 20.0, "n1": 0.0, "e1": 60.0, "e2": 10.0}
    widths = {"n0": 10.0, "n1": 90.0, "e0": 2.0, "e1": 2.0, "e2": 2.0}
    placed = straightened(rows, xs, widths, [["e0", "e1", "e2"]], 5.0)
    assert placed["e0"] == placed["e1"] == placed["e2"] == 45.0 + 1.0 + 5.0
