"""A callback that measures the CPU time of the training loop alone: from the first epoch's begin to the end."""

from __future__ import annotations

import time
from typing import Any

seconds = 0.0


class LoopClock:
    """Adds the process CPU seconds of every epoch to `seconds`."""

    def on_fit_start(self) -> None:
        global seconds
        seconds = 0.0

    def on_epoch_start(self) -> None:
        self.begin = time.process_time()

    def on_epoch_end(self) -> None:
        global seconds
        seconds += time.process_time() - self.begin


def register(registry: Any) -> None:
    registry.register_module("cb.loop_clock", LoopClock)
