"""The picture of an open-loop evaluation: which dimensions are predicted how well, and how far ahead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ot_builtins.extras import import_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_errors"]

COLOURS = {"policy": "#4c72b0", "hold": "#dd8452", "mean": "#b8bcc4"}
LABELS = {"policy": "policy", "hold": "hold the last action", "mean": "mean of the training actions"}

Errors = Mapping[str, Mapping[str, Any]]
"""Who predicted → what `ActionErrors.report` says."""


def draw_errors(path: Path, title: str, report: Mapping[str, Any]) -> None:
    """Draw the error of every dimension as bars, and below it that of every step of the chunk as curves."""
    import_extra("matplotlib", "plots", "a plot of an evaluation")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    errors, dimensions = report["errors"], report["dimensions"]
    chunked = len(errors["policy"]["mean_absolute_error_of_steps"]) > 1
    width = max(7.0, 1.5 + 0.42 * len(dimensions))
    figure = Figure(figsize=(width, 8.2 if chunked else 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2 if chunked else 1, 1, squeeze=False, height_ratios=[3, 2] if chunked else None)[:, 0]
    _draw_dimensions(panels[0], dimensions, errors)
    if chunked:
        _draw_steps(panels[1], errors)
    for panel in panels:
        panel.grid(axis="y", alpha=0.25)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{title}: action error in {report['windows']} held-out windows", fontsize=12)
    figure.savefig(path, dpi=150)


def _draw_dimensions(panel: Axes, dimensions: list[str], errors: Errors) -> None:
    places, width = np.arange(len(dimensions)), 0.8 / len(COLOURS)
    for index, (who, colour) in enumerate(COLOURS.items()):
        values = errors[who]["mean_absolute_error_of_dimensions"]
        label = f"{LABELS[who]}: {errors[who]['mean_absolute_error']:.4g} on average"
        panel.bar(places + (index - 1) * width, values, width, color=colour, label=label)
    if all(len(name) < 4 for name in dimensions):
        panel.set_xticks(places, dimensions, fontsize=8)
    else:
        panel.set_xticks(places, dimensions, fontsize=8, rotation=55, ha="right", rotation_mode="anchor")
    panel.set_xlim(-0.7, len(dimensions) - 0.3)
    panel.set_ylabel("mean absolute error")
    panel.legend(frameon=False, fontsize=9)


def _draw_steps(panel: Axes, errors: Errors) -> None:
    for who, colour in COLOURS.items():
        values = np.array(errors[who]["mean_absolute_error_of_steps"], dtype=float)
        steps = np.arange(1, len(values) + 1)
        panel.plot(steps, values, color=colour, linewidth=1.8, marker="o", markersize=3.5, label=LABELS[who])
        panel.annotate(f"{values[-1]:.3g}", (steps[-1], values[-1]), xytext=(6, -3), textcoords="offset points",
                       color=colour, fontsize=9)  # fmt: skip
    panel.set_ylim(bottom=0)
    panel.set_xlabel("step of the chunk")
    panel.set_ylabel("mean absolute error")
