"""Paints a sheet with matplotlib, by colours that mean the same in every picture."""

from __future__ import annotations

from typing import Any, NamedTuple

from ot_policy_constructor.inspection.drawing.scene import Kind
from ot_policy_constructor.inspection.drawing.sheet import Frame, Line, Placed, Sheet, styles_of
from ot_policy_constructor.inspection.drawing.type import LEADING, SIZES, font, width_of

__all__ = ["figure_of"]


class _Look(NamedTuple):
    fill: str
    outline: str
    round: float = 5.0
    dashed: bool = False
    meaning: str = ""


_LOOKS: dict[Kind, _Look] = {
    "field": _Look("#e5f2e9", "#4f9a63", 5.0, meaning="field of the batch"),
    "port": _Look("#ffffff", "#b4bcc8", 9.0),
    "module": _Look("#e4ecf8", "#4c72b0", 5.0, meaning="module"),
    "frozen": _Look("#eceff1", "#8796a1", 5.0, dashed=True, meaning="frozen module"),
    "operation": _Look("#fbf3df", "#c2973b", 11.0, meaning="operation"),
    "value": _Look("none", "none"),
    "result": _Look("#fbe9e1", "#cf6f45", 5.0, meaning="prediction"),
}
_FRAME, _FROZEN_FRAME = _Look("#f7f9fc", "#a9b8d0", 8.0), _Look("#f5f6f7", "#a3afb8", 8.0, dashed=True)
_INK, _FAINT, _ARROW = "#20262e", "#59626e", "#6b7480"
_MARGIN = 20.0
_DASHES = (0, (4, 3))
_SWATCH = (22.0, 13.0)


def figure_of(sheet: Sheet, lines: tuple[str, ...]) -> Any:
    """Return the matplotlib figure of `sheet` under the title `lines`, in its own size: a point is a point."""
    from matplotlib.figure import Figure

    legend = _legend(sheet)
    heading = SIZES["title"] * LEADING + (len(lines) - 1) * SIZES["text"] * LEADING + 16
    texts = [width_of(lines[0], "title", bold=True), *(width_of(line, "text") for line in lines[1:])]
    inner = max(sheet.width, *texts, sum(width for _, _, width in legend))
    width, height = inner + 2 * _MARGIN, heading + sheet.height + 2 * _MARGIN + 34
    figure = Figure(figsize=(width / 72, height / 72), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    shift = (inner - sheet.width) / 2
    axes.set_xlim(-_MARGIN - shift, width - _MARGIN - shift)
    axes.set_ylim(height - _MARGIN - heading, -_MARGIN - heading)
    painter = _Painter(axes)
    painter.title(lines, -shift, -heading)
    for frame in sheet.frames:
        painter.frame(frame)
    for line in sheet.lines:
        painter.line(line)
    for placed in sheet.items:
        painter.item(placed)
    painter.legend(legend, -shift, sheet.height + 22)
    return figure


def _legend(sheet: Sheet) -> list[tuple[Kind | None, str, float]]:
    """Return (kind, meaning, width) for everything in the picture that has to be explained; None is a dashed arrow."""
    kinds = {placed.item.kind for placed in sheet.items}
    entries: list[tuple[Kind | None, str]] = [
        (kind, look.meaning) for kind, look in _LOOKS.items() if look.meaning and kind in kinds
    ]
    if any(line.computed for line in sheet.lines):
        entries.append((None, "computed by the algorithm from"))
    return [(kind, meaning, _SWATCH[0] + 6 + width_of(meaning, "text") + 20) for kind, meaning in entries]


class _Painter:
    """Puts shapes and text on axes whose unit is a point."""

    def __init__(self, axes: Any) -> None:
        self._axes = axes

    def title(self, lines: tuple[str, ...], left: float, top: float) -> None:
        self._text(lines[0], left, top + SIZES["title"] * LEADING / 2, ("title", True), _INK, "left")
        for number, line in enumerate(lines[1:]):
            y = top + SIZES["title"] * LEADING + (number + 0.5) * SIZES["text"] * LEADING
            self._text(line, left, y, ("text", False), _FAINT, "left")

    def frame(self, frame: Frame) -> None:
        self._rectangle(_FROZEN_FRAME if frame.box.frozen else _FRAME, *frame[1:], layer=1)
        left, y = frame.left + 14, frame.top + 14 + SIZES["box"] * LEADING / 2
        self._text(frame.box.lines[0], left, y, ("box", True), _INK, "left")
        y += (SIZES["box"] + SIZES["text"]) * LEADING / 2
        for number, line in enumerate(frame.box.lines[1:]):
            self._text(line, left, y + number * SIZES["text"] * LEADING, ("text", False), _FAINT, "left")

    def item(self, placed: Placed) -> None:
        item, left, top, width, height = placed
        self._rectangle(_LOOKS[item.kind], left, top, width, height, layer=3)
        styles = [("text", False)] if item.kind == "value" else styles_of(item)
        y = top + (height - sum(SIZES[size] * LEADING for size, _ in styles)) / 2
        for line, style in zip(item.lines, styles, strict=True):
            tall = SIZES[style[0]] * LEADING
            colour = _INK if style[0] == "name" else _FAINT
            self._text(line, left + width / 2, y + tall / 2, style, colour, "center")
            y += tall

    def line(self, line: Line) -> None:
        from matplotlib.patches import FancyArrowPatch
        from matplotlib.path import Path

        x, top, bottom = line.verticals[0]
        points, codes = [(x, top), (x, bottom)], [Path.MOVETO, Path.LINETO]
        for x, top, bottom in line.verticals[1:]:
            left, above = points[-1]
            middle = (above + top) / 2
            points += [(left, middle), (x, middle), (x, top)]
            codes += [Path.CURVE4] * 3
            if bottom > top:  # an arrow's head needs a direction
                points.append((x, bottom))
                codes.append(Path.LINETO)
        style = "-|>,head_length=5,head_width=2.6" if line.has_head else "-"
        self._axes.add_patch(
            FancyArrowPatch(
                path=Path(points, codes), arrowstyle=style, mutation_scale=1, linewidth=1.0, color=_ARROW,
                linestyle=_DASHES if line.computed else "solid", shrinkA=0, shrinkB=0, zorder=2, joinstyle="round",
            )
        )  # fmt: skip

    def legend(self, entries: list[tuple[Kind | None, str, float]], left: float, top: float) -> None:
        for kind, meaning, width in entries:
            middle = top + _SWATCH[1] / 2
            if kind is None:
                self._axes.plot(
                    [left, left + _SWATCH[0]], [middle, middle], color=_ARROW, linewidth=1.0, linestyle=_DASHES
                )
            else:
                look = _LOOKS[kind]._replace(round=min(_LOOKS[kind].round, _SWATCH[1] / 2))
                self._rectangle(look, left, top, *_SWATCH, layer=3)
            self._text(meaning, left + _SWATCH[0] + 6, middle, ("text", False), _FAINT, "left")
            left += width

    def _rectangle(self, look: _Look, left: float, top: float, width: float, height: float, *, layer: int) -> None:
        from matplotlib.patches import FancyBboxPatch

        self._axes.add_patch(
            FancyBboxPatch(
                (left, top), width, height, boxstyle=f"round,pad=0,rounding_size={look.round}", facecolor=look.fill,
                edgecolor=look.outline, linewidth=1.1, linestyle=_DASHES if look.dashed else "solid", zorder=layer,
                mutation_aspect=1,
            )
        )  # fmt: skip

    def _text(self, text: str, x: float, y: float, style: tuple[str, bool], colour: str, align: str) -> None:
        self._axes.text(
            x, y, text, fontproperties=font(*style), color=colour, ha=align, va="center_baseline", zorder=5,
            parse_math=False,
        )  # fmt: skip
