"""A picture of how the losses went."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from offline_trainer_core import hookimpl
from ot_builtins.destinations import new_destination
from ot_builtins.extras import import_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LossPlot"]

Curves = dict[str, dict[str, list[tuple[int, float]]]]
"""Metric → stage → (step, value)."""

TRAIN, VAL = "#4c72b0", "#dd8452"
LOG_SCALE_FROM = 20.0
"""A logarithmic axis where the largest value is this many times the smallest."""


class LossPlot:
    """Draws the logged losses of training and validation over the optimizer steps into `path`, when the run ends.

    There is one panel per metric: those in `metrics`, or everything that is called `loss` or ends in `_loss`. The
    curves come from the run's `metrics.jsonl`, so a resumed run is drawn from its beginning.
    """

    harmless = True

    def __init__(self, path: str = "loss.png", metrics: Iterable[str] | None = None) -> None:
        import_extra("matplotlib", "plots", "cb.loss_plot")
        self.path = path
        self.metrics = None if metrics is None else tuple(metrics)
        self._target: Path | None = None
        """Where to draw, once that is known to be free."""

    def on_fit_start(self, context: Any) -> None:
        if context.run.is_main:
            self._target = new_destination(context.run, self.path, resumed=context.exactness is not None)

    @hookimpl(trylast=True)
    def on_fit_end(self, context: Any) -> None:
        self._draw(context)

    @hookimpl(trylast=True)
    def on_exception(self, context: Any) -> None:
        self._draw(context)

    def _draw(self, context: Any) -> None:
        if self._target is None:
            return
        curves = read_curves(context.run.dir / "metrics.jsonl", self.metrics)
        if curves:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            draw_curves(curves, context.run.name, self._target)


def read_curves(path: Path, metrics: tuple[str, ...] | None) -> Curves:
    """Return the curves of the chosen metrics, or of all losses, that were logged at the stages `train` and `val`."""
    curves: Curves = {}
    for row in _rows(path):
        stage = row["stage"]
        for name in row.keys() - {"step", "stage", "time"} if stage in ("train", "val") else ():
            if name in metrics if metrics is not None else name == "loss" or name.endswith("_loss"):
                curves.setdefault(name, {}).setdefault(stage, []).append((row["step"], float(row[name])))
    order = metrics or sorted(curves, key=lambda name: (name != "loss", name))
    return {name: curves[name] for name in order if name in curves}


def _rows(path: Path) -> Iterable[Mapping[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def draw_curves(curves: Curves, title: str, target: Path) -> None:
    """Draw one panel per metric into the picture `target`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 1.0 + 2.9 * len(curves)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (name, stages) in zip(panels, curves.items(), strict=True):
        _draw_panel(panel, name, stages)
    panels[-1].set_xlabel("optimizer step")
    figure.suptitle(title)
    figure.savefig(target, dpi=150)


def _draw_panel(panel: Axes, name: str, stages: Mapping[str, list[tuple[int, float]]]) -> None:
    if "train" in stages:
        steps, values = np.array(stages["train"]).T
        smooth = _smooth(values)
        if smooth is None:
            panel.plot(steps, values, color=TRAIN, linewidth=1.6, label="train")
        else:
            panel.plot(steps, values, color=TRAIN, linewidth=0.8, alpha=0.3)
            panel.plot(steps, smooth, color=TRAIN, linewidth=1.8, label="train (smoothed)")
    if "val" in stages:
        steps, values = np.array(stages["val"]).T
        marker = "o" if len(steps) <= 60 else ""
        panel.plot(steps, values, color=VAL, linewidth=1.6, marker=marker, markersize=4, label="validation")
        _mark_last(panel, steps, values)
    _scale(panel, np.array([value for points in stages.values() for _, value in points]))
    panel.set_ylabel(name)
    panel.grid(which="both", alpha=0.2)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False)


def _smooth(values: np.ndarray) -> np.ndarray | None:
    """Return an average over about 3 % of the curve, or None where it is too short to need one."""
    width = len(values) // 30
    if width < 2 or not np.isfinite(values).all():
        return None
    kernel = np.ones(width)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")


def _mark_last(panel: Axes, steps: np.ndarray, values: np.ndarray) -> None:
    panel.annotate(
        f"{values[-1]:.4g}", (steps[-1], values[-1]), xytext=(0, 7), textcoords="offset points", ha="right", color=VAL
    )


def _scale(panel: Axes, values: np.ndarray) -> None:
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > LOG_SCALE_FROM * values.min():
        panel.set_yscale("log")
