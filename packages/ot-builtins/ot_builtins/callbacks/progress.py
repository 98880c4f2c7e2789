"""Where a run is and when it will be done, for the person who watches it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from offline_trainer_core.types import PositiveFloat

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

__all__ = ["Progress"]

RATE_WINDOW = 20.0
"""Seconds over which the speed is averaged: validations and saves count, so that the time left is true."""


class Progress:
    """Shows step, epoch, loss, validation loss, steps per second and the time left, on the standard error.

    On a terminal it is a live bar, drawn by a thread that looks at the run `refresh_per_second` times: a step costs
    nothing. Elsewhere it is a plain line whenever training is logged.
    """

    harmless = True

    def __init__(self, metric: str | None = None, refresh_per_second: PositiveFloat = 4.0) -> None:
        """`metric` is the logged value to show, of training and validation; by default the first that names a loss."""
        self.metric = metric
        self.refresh_per_second = refresh_per_second
        self._speed = Speed()
        self._console: Console | None = None
        self._live: Live | None = None

    def on_fit_start(self, context: Any) -> None:
        if not context.run.is_main:
            return
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._speed.observe(context.state.global_step)
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                get_renderable=lambda: self._bar(context),
                console=self._console,
                refresh_per_second=self.refresh_per_second,
            )
            self._live.start()

    def on_log(self, context: Any, metrics: Mapping[str, float], stage: str) -> None:
        if self._console is None or self._live is not None or self._shown(metrics) is None:
            return
        self._speed.observe(context.state.global_step)
        if stage in ("train", "val"):
            self._console.print("  ".join(self._words(context)), markup=False)

    def _shown(self, logs: Mapping[str, float]) -> str | None:
        if self.metric is not None:
            return self.metric if self.metric in logs else None
        return "loss" if "loss" in logs else next((name for name in logs if "loss" in name), None)

    def on_fit_end(self) -> None:
        self._close()

    def on_exception(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _bar(self, context: Any) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        self._speed.observe(context.state.global_step)
        position, *rest = self._words(context)
        row = Table.grid(padding=(0, 1))
        if context.max_steps:
            bar = ProgressBar(total=context.max_steps, completed=context.state.global_step, width=24)
            row.add_row(position, bar, "  ".join(rest))
        else:
            row.add_row(position, "  ".join(rest))
        return row

    def _words(self, context: Any) -> list[str]:
        state, total = context.state, context.max_steps
        words = [_of("step", state.global_step, total), _of("epoch", state.epoch + 1, context.max_epochs)]
        for prefix, logs in (("", context.last_train_logs), ("val ", context.last_val_logs)):
            metric = self._shown(logs)
            if metric is not None:
                words.append(f"{prefix}{metric} {logs[metric]:.4g}")
        rate = self._speed.steps_per_second
        if rate:
            words.append(f"{rate:.3g} steps/s" if rate < 100 else f"{rate:.0f} steps/s")
            if total:
                words.append(f"{_clock((total - state.global_step) / rate)} left")
        return words


class Speed:
    """Steps per second over the last `RATE_WINDOW` seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def observe(self, step: int, now: float | None = None) -> None:
        """Note that the run is at `step` (at `now`, in seconds)."""
        now = monotonic() if now is None else now
        self._seen.append((now, step))
        while len(self._seen) > 2 and now - self._seen[1][0] >= RATE_WINDOW:
            self._seen.popleft()

    @property
    def steps_per_second(self) -> float | None:
        """None until there is something to measure."""
        if len(self._seen) < 2:
            return None
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended > began and last > first else None


def _of(what: str, number: int, total: int | None) -> str:
    return f"{what} {min(number, total)}/{total}" if total else f"{what} {number}"


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(max(0.0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
