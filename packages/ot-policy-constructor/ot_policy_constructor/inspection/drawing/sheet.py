"""Every part of a picture at its place: components are laid out inside, then among each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ot_policy_constructor.inspection.drawing.layers import Edge, Layout, Vertical, arrange
from ot_policy_constructor.inspection.drawing.scene import Box, Item, Link, Scene
from ot_policy_constructor.inspection.drawing.type import LEADING, SIZES, width_of

__all__ = ["Frame", "Line", "Placed", "Sheet", "lay_out", "size_of", "styles_of"]

_PADDING = (12.0, 7.0)
_FRAME = 14.0
"""Between a component's outline and what is in it."""
_HEADING = 24.0
"""Between what is said of a component, on the left, and its graph."""
_INSIDE = (22.0, 22.0)
_BETWEEN = (36.0, 34.0)
_BELOW = 4.0
"""How much more it matters that a shape stands right below what has it."""
_HEADS = 14.0
"""Between the heads of arrows that end at one item."""


class Placed(NamedTuple):
    """An item and the rectangle that it fills."""

    item: Item
    left: float
    top: float
    width: float
    height: float


class Frame(NamedTuple):
    """The outline of a component."""

    box: Box
    left: float
    top: float
    width: float
    height: float


class Line(NamedTuple):
    """An arrow through these verticals."""

    verticals: tuple[Vertical, ...]
    computed: bool
    has_head: bool


@dataclass
class Sheet:
    """Everything that is painted, in points from the upper left corner."""

    width: float
    height: float
    items: list[Placed] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


class _Inside(NamedTuple):
    """A component before it has a place: its graph, where that lies in the frame, and the size of the frame."""

    box: Box
    layout: Layout
    sizes: Mapping[str, tuple[float, float]]
    left: float
    size: tuple[float, float]

    def middle_of(self, key: str) -> float:
        """Return how far right of the middle of the frame an item lies."""
        return self.left + self.layout.places[key][0] - self.size[0] / 2


def lay_out(scene: Scene) -> Sheet:
    """Return where everything of `scene` goes."""
    insides = {name: _inside(box) for name, box in scene.boxes.items()}
    sizes = {name: inside.size for name, inside in insides.items()}
    sizes |= {key: size_of(item) for key, item in scene.items.items()}
    home = {key: name for name, box in scene.boxes.items() for key in box.items}
    edges = [_edge(link, home, insides) for link in scene.links]
    results = [key for key, item in scene.items.items() if item.kind == "result"]
    layout = arrange(sizes, edges, gap=_BETWEEN, lowest=results)
    sheet = Sheet(layout.width, layout.height)
    for name, inside in insides.items():
        middle, top = layout.places[name]
        _add_component(sheet, inside, middle - inside.size[0] / 2, top)
    _add_items(sheet, scene.items, sizes, layout, (0.0, 0.0))
    # What leaves or enters a component goes on inside it, from or to an item at its end.
    ends = [(_reach(link.source, home, insides), _reach(link.target, home, insides)) for link in scene.links]
    _add_lines(sheet, scene.links, scene.items, layout, (0.0, 0.0), ends)
    return sheet


def size_of(item: Item) -> tuple[float, float]:
    """Return the room that an item takes."""
    if item.kind == "value":
        return width_of(item.lines[0], "text") + 8, SIZES["text"] * LEADING
    widths = [width_of(line, *style) for line, style in zip(item.lines, styles_of(item), strict=True)]
    heights = [SIZES[size] * LEADING for size, _ in styles_of(item)]
    return max(widths) + 2 * _PADDING[0], sum(heights) + 2 * _PADDING[1]


def styles_of(item: Item) -> list[tuple[str, bool]]:
    """Return size and weight of every line of an item."""
    bold = item.kind not in ("operation", "value", "port")
    return [("name", bold), *(("text", False) for _ in item.lines[1:])]


def _inside(box: Box) -> _Inside:
    sizes = {key: size_of(item) for key, item in box.items.items()}
    below = {key: _BELOW for key, item in box.items.items() if item.kind == "value"}
    edges = [Edge(link.source, link.target, weight=below.get(link.target, 1.0)) for link in box.links]
    layout = arrange(sizes, edges, gap=_INSIDE, highest=box.inputs, lowest=box.outputs)
    heading = max(width_of(box.lines[0], "box", bold=True), *(width_of(line, "text") for line in box.lines[1:]))
    left = _FRAME + heading + _HEADING
    lines = SIZES["box"] * LEADING + (len(box.lines) - 1) * SIZES["text"] * LEADING
    return _Inside(box, layout, sizes, left, (left + layout.width + _FRAME, max(layout.height, lines) + 2 * _FRAME))


def _edge(link: Link, home: Mapping[str, str], insides: Mapping[str, _Inside]) -> Edge:
    source, target = home.get(link.source, link.source), home.get(link.target, link.target)
    return Edge(
        source,
        target,
        insides[source].middle_of(link.source) if source in insides else 0.0,
        insides[target].middle_of(link.target) if target in insides else 0.0,
    )


def _reach(key: str, home: Mapping[str, str], insides: Mapping[str, _Inside]) -> float:
    """Return how far inside its component an item begins, or ends for those at the lower end."""
    if key not in home:
        return 0.0
    inside = insides[home[key]]
    top = _FRAME + inside.layout.places[key][1]
    return top if key in inside.box.inputs else inside.size[1] - top - inside.sizes[key][1]


def _add_component(sheet: Sheet, inside: _Inside, left: float, top: float) -> None:
    sheet.frames.append(Frame(inside.box, left, top, *inside.size))
    corner = (left + inside.left, top + _FRAME)
    _add_items(sheet, inside.box.items, inside.sizes, inside.layout, corner)
    _add_lines(sheet, inside.box.links, inside.box.items, inside.layout, corner, [(0.0, 0.0)] * len(inside.box.links))


def _add_items(
    sheet: Sheet,
    items: Mapping[str, Item],
    sizes: Mapping[str, tuple[float, float]],
    layout: Layout,
    corner: tuple[float, float],
) -> None:
    for key, item in items.items():
        (middle, top), (width, height) = layout.places[key], sizes[key]
        sheet.items.append(Placed(item, corner[0] + middle - width / 2, corner[1] + top, width, height))


def _add_lines(
    sheet: Sheet,
    links: Sequence[Link],
    items: Mapping[str, Item],
    layout: Layout,
    corner: tuple[float, float],
    reaches: Sequence[tuple[float, float]],
) -> None:
    spread = _spread(links, layout)
    for number, (link, route, (out, into)) in enumerate(zip(links, layout.routes, reaches, strict=True)):
        moved = [(x + corner[0], top + corner[1], bottom + corner[1]) for x, top, bottom in route]
        first, last = moved[0], moved[-1]
        moved[0] = (first[0], first[1] - out, first[2])
        moved[-1] = (last[0] + spread[number], last[1], last[2] + into)
        is_value = link.target in items and items[link.target].kind == "value"
        sheet.lines.append(Line(tuple(moved), link.computed, not is_value))


def _spread(links: Sequence[Link], layout: Layout) -> list[float]:
    """Return how far every arrow's head is moved, so that several at one item stand side by side."""
    shifts = [0.0] * len(links)
    for target in dict.fromkeys(link.target for link in links):
        arriving = [number for number, link in enumerate(links) if link.target == target]
        arriving.sort(key=lambda number: layout.routes[number][-2][0])
        for place, number in enumerate(arriving):
            shifts[number] = (place - (len(arriving) - 1) / 2) * _HEADS
    return shifts
