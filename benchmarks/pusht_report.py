"""What `pusht.py` shows of its scores: a table of the last checkpoints, and curves over the training steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["as_table", "draw"]

Curves = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Algorithm → training steps → `pusht_scores.summary`."""

COLOURS = {"bc": "#c44e52", "flow_matching": "#4c72b0", "diffusion": "#55a868"}
OTHERS = ["#8172b3", "#937860", "#dd8452"]
PUBLISHED = {0.654: "LeRobot's diffusion policy, from images: 65.4 %", 0.68: "the same, trained by others: 68.0 %"}
"""Success rates to compare with. They are of policies that see images, trained for longer, on a GPU."""


def as_table(curves: Curves) -> str:
    """Return one line for the last checkpoint of each algorithm, as a table in Markdown."""
    lines = [
        "| | steps | success | 95 % | by seed | mean max. coverage | 95 % | by seed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for algorithm, curve in curves.items():
        step = max(curve)
        score = curve[step]
        cells = [algorithm, f"{step:,}", f"{100 * score['success']:.1f} %", _percent(score["success_interval"])]
        cells += [" ".join(f"{100 * rate:.0f}" for rate in score["success_by_seed"]), f"{score['coverage']:.3f}"]
        cells += ["{:.3f} to {:.3f}".format(*score["coverage_interval"])]
        cells += [" ".join(f"{mean:.3f}" for mean in score["coverage_by_seed"])]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _percent(interval: tuple[float, float]) -> str:
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f} %"


def draw(curves: Curves, title: str, path: Path) -> None:
    """Draw success and coverage against training steps: mean, 95 % interval, and a dot for each training seed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    success, coverage = figure.subplots(1, 2)
    for panel, key in ((success, "success"), (coverage, "coverage")):
        for number, (algorithm, curve) in enumerate(curves.items()):
            colour = COLOURS.get(algorithm, OTHERS[number % len(OTHERS)])
            _draw_curve(panel, curve, key, algorithm.replace("_", " "), colour)
        panel.set_xlabel("training steps")
        panel.set_xlim(left=0)
        panel.set_ylim(0, 1)
        panel.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    for style, (rate, source) in zip(("--", ":"), PUBLISHED.items(), strict=True):
        success.axhline(rate, color="#555555", linestyle=style, linewidth=1, label=source)
    success.set_title("success: coverage over 0.95", fontsize=11)
    coverage.set_title("mean of the largest coverage", fontsize=11)
    success.yaxis.set_major_formatter(lambda rate, _: f"{rate:.0%}")
    figure.legend(*success.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=12)
    figure.savefig(path, dpi=150)


def _draw_curve(panel: Axes, curve: Mapping[int, Mapping[str, Any]], key: str, label: str, colour: str) -> None:
    steps = sorted(curve)
    low, high = zip(*(curve[step][f"{key}_interval"] for step in steps), strict=True)
    panel.fill_between(steps, low, high, color=colour, alpha=0.18, linewidth=0)
    panel.plot(steps, [curve[step][key] for step in steps], "-", color=colour, linewidth=2, label=label)
    for step in steps:
        by_seed = curve[step][f"{key}_by_seed"]
        panel.plot([step] * len(by_seed), by_seed, "o", color=colour, markersize=3.5, alpha=0.8, clip_on=False)
