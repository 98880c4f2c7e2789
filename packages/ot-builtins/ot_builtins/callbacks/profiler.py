"""Where the time of a step goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from offline_trainer_core.errors import ComponentError
from offline_trainer_core.types import NonNegativeInt, PositiveInt
from ot_builtins.destinations import new_destination

__all__ = ["Profiler"]


class Profiler:
    """Records `active` optimizer steps of the main process, after `wait` idle and `warmup` discarded ones.

    Writes, with `torch.profiler`, a trace for chrome://tracing or ui.perfetto.dev, `<dir>/trace_step_<n>.json`, and a
    table of the operators that took most time, `<dir>/operators_step_<n>.txt`; n is the last step in them.
    """

    harmless = True

    def __init__(
        self,
        wait: NonNegativeInt = 10,
        warmup: NonNegativeInt = 2,
        active: PositiveInt = 5,
        dir: str = "profile",  # noqa: A002 - the argument's name in the configuration
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
    ) -> None:
        if active < 1:
            raise ComponentError(f"cb.profiler: active is at least 1, not {active}")
        self.dir = dir
        self._schedule = schedule(wait=wait, warmup=warmup, active=active, repeat=1)
        self._options: dict[str, Any] = {
            "record_shapes": record_shapes,
            "profile_memory": profile_memory,
            "with_stack": with_stack,
        }
        self._profile: profile | None = None
        self._folder = Path()
        self._context: Any = None

    def on_fit_start(self, context: Any) -> None:
        if not context.run.is_main:
            return
        self._context = context
        self._folder = new_destination(context.run, self.dir, resumed=context.exactness is not None)
        self._folder.mkdir(parents=True, exist_ok=True)
        activities = [ProfilerActivity.CPU]
        if torch.device(context.run.device).type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        self._profile = profile(
            activities=activities, schedule=self._schedule, on_trace_ready=self._write, **self._options
        )
        self._profile.start()

    def on_train_step_end(self) -> None:
        if self._profile is not None:
            self._profile.step()

    def on_fit_end(self) -> None:
        self._stop()

    def on_exception(self) -> None:
        self._stop()

    def _stop(self) -> None:
        running, self._profile = self._profile, None
        if running is not None:
            running.stop()

    def _write(self, recorded: profile) -> None:
        step = self._context.state.global_step
        recorded.export_chrome_trace(str(self._folder / f"trace_step_{step}.json"))
        table = recorded.key_averages().table(sort_by="self_cpu_time_total", row_limit=30)
        (self._folder / f"operators_step_{step}.txt").write_text(table, encoding="utf-8")
        self._profile = None  # one recording is all: the following steps pay nothing
