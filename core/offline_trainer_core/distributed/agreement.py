"""When processes ask each other whether to stop, so that all of them stop at the same step."""

from __future__ import annotations

from time import monotonic
from typing import NamedTuple

from offline_trainer_core.distributed.collectives import Collectives

__all__ = ["Agreement", "Decision"]

SECONDS_BETWEEN = 1.0
"""How long a signal may wait for the other processes to hear of it."""


class Decision(NamedTuple):
    """What all processes agreed on."""

    stop: bool
    resumable: bool
    reason: str | None


class Agreement:
    """Lets processes agree at every `agreement_interval`-th step, and at every step where so many take too long.

    In between only what makes a run resumable stops it, a signal or a deadline: the wish of a callback waits,
    so that the step at which it ends the run is not a matter of speed.
    """

    def __init__(self, collectives: Collectives) -> None:
        self._collectives = collectives
        self._slow = True
        self._last: tuple[int, float] | None = None

    def due(self, step: int) -> bool:
        """Whether the processes ask each other after `step`; the same on all of them."""
        return self._slow or step % self._collectives.agreement_interval == 0

    def reach(self, step: int, reason: str | None, resumable: bool, *, regular: bool = False) -> Decision:
        """Tell the others the `reason` to stop, if there is one here; return what holds for all.

        `regular` points, such as the end of an epoch, are those of the interval too.
        """
        regular = regular or step % self._collectives.agreement_interval == 0
        wish = reason is not None and (regular or resumable)
        votes = self._collectives.largest([wish, wish and resumable, self._is_slow(step)])
        stop, may_resume, self._slow = (vote > 0 for vote in votes)
        return Decision(stop, may_resume, self._shared(reason) if stop else None)

    def _is_slow(self, step: int) -> bool:
        """Whether as many steps as the interval has take too long; as long as that is not known, they do."""
        last, self._last = self._last, (step, monotonic())
        if last is None or step <= last[0]:
            return True
        seconds = (self._last[1] - last[1]) / (step - last[0])
        return seconds * self._collectives.agreement_interval > SECONDS_BETWEEN

    def _shared(self, reason: str | None) -> str | None:
        """Return the reason of the first process that has one."""
        reasons = self._collectives.gather_object(reason) or []
        given = ((rank, text) for rank, text in enumerate(reasons) if text is not None)
        rank, text = next(given, (0, None))
        return self._collectives.broadcast_object(f"{text} (process {rank})" if rank else text)  # type: ignore[no-any-return]
