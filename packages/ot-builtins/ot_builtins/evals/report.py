"""What an evaluation leaves behind to be looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ot_builtins.extras import import_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_results", "write_results"]

Results = Mapping[str, list[dict[str, Any]]]
"""Who played → the results of the episodes."""

COLOURS = ["#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860"]


def write_results(path: Path, env_id: str, results: Results) -> None:
    """Write every episode of every policy as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"env_id": env_id, "episodes": results}, indent=1) + "\n", encoding="utf-8")


def draw_results(path: Path, title: str, results: Results) -> None:
    """Draw a panel for the return, for everything that was recorded and for success: one column per policy."""
    import_extra("matplotlib", "plots", "a plot of an evaluation")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    measured = [key for key in next(iter(results.values()))[0] if key not in ("seed", "length")]
    figure = Figure(figsize=((1.4 + 0.8 * len(results)) * len(measured) + 0.6, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(measured), squeeze=False)[0]
    for panel, key in zip(panels, measured, strict=True):
        values = [np.array([result[key] for result in played], dtype=float) for played in results.values()]
        (_draw_rates if key == "success" else _draw_values)(panel, values)
        panel.set_xticks(range(len(values)), list(results))
        panel.set_xlim(-0.6, len(values) - 0.4)
        panel.set_title("success rate" if key == "success" else key.replace("_", " "), fontsize=10)
        panel.grid(axis="y", alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    count = len(next(iter(results.values())))
    figure.suptitle(f"{title}, {count} episodes", fontsize=11)
    figure.savefig(path, dpi=150)


def _draw_values(panel: Axes, columns: list[np.ndarray]) -> None:
    """Draw every episode as a dot, over the box of its policy."""
    scatter = np.random.default_rng(0)  # dots of equal value side by side, the same way each time
    for index, values in enumerate(columns):
        colour = COLOURS[index % len(COLOURS)]
        panel.boxplot(
            values,
            positions=[index],
            widths=0.5,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": colour, "alpha": 0.25, "edgecolor": colour},
            medianprops={"color": colour, "linewidth": 2},
            whiskerprops={"color": colour},
            capprops={"color": colour},
        )
        panel.plot(
            index + scatter.uniform(-0.15, 0.15, len(values)), values, "o", color=colour, markersize=3, alpha=0.7
        )


def _draw_rates(panel: Axes, columns: list[np.ndarray]) -> None:
    """Draw the share of successes with its 95 % interval."""
    for index, values in enumerate(columns):
        rate, (low, high) = values.mean(), _wilson(values.mean(), len(values))
        panel.bar(index, rate, width=0.5, color=COLOURS[index % len(COLOURS)], alpha=0.6)
        panel.plot([index, index], [low, high], color="#333333", linewidth=1.5)
        panel.annotate(f"{rate:.0%}", (index + 0.05, rate), xytext=(2, 3), textcoords="offset points", fontsize=9)
    panel.set_ylim(0, 1.08)


def _wilson(rate: float, count: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion (Wilson 1927)."""
    z = 1.96
    centre = (rate + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)
