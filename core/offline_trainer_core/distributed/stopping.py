"""What asks a run to stop at its next step boundary: a signal or its deadline. A second signal stops it at once."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, time
from types import FrameType
from typing import Any

__all__ = ["STARTED", "StopSignals", "StoppedEarly", "end_with_parent", "endure_signals", "listening"]

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
ONE_SIGNAL = 1.0
"""Seconds in which signals count as one: a launcher passes on what the whole group of its processes gets, too."""
_AGAIN = 0.05
"""Seconds after which a signal is sent again that came where Python swallows exceptions."""
STARTED = "OT_STARTED"
"""The environment variable in which a launcher tells its processes when it began, in seconds since 1970."""


class StoppedEarly(KeyboardInterrupt):
    """A signal came before the first step, when there is nothing to save."""


class StopSignals:
    """While entered, SIGINT, SIGTERM and SIGUSR1 set `received` instead of ending the process.

    Raises, where the signal comes: `StoppedEarly` before training has begun, `KeyboardInterrupt` at a second signal.
    """

    def __init__(self) -> None:
        self.patient = False
        """Whether training has begun: there are step boundaries, so that a signal can wait for one."""
        self._signal: str | None = None
        self._since = self._deadline = math.inf
        self._limit = ""
        self._deaf = False
        self.began = float(os.environ.get(STARTED, time()))
        """When the process, or its launcher, began."""
        self._previous: dict[int, Any] = {}
        self._unraisable = sys.unraisablehook

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._previous[number] = signal.signal(number, self._receive)
            self._unraisable, sys.unraisablehook = sys.unraisablehook, self._swallowed
            if hasattr(signal, "pthread_sigmask"):
                signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # a launcher blocks them until somebody listens
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if sys.unraisablehook == self._swallowed:
            sys.unraisablehook = self._unraisable

    @property
    def received(self) -> str | None:
        """Why to stop: the name of a signal, or that the time is over; None where nothing asks for it."""
        return self._limit if self._signal is None and monotonic() >= self._deadline else self._signal

    def limit(self, seconds: float, text: str) -> None:
        """Stop `seconds` after the process, or its launcher, began; `text` is how the user wrote them."""
        self._deadline = monotonic() + self.began + seconds - time()
        self._limit = f"time limit of {text} reached"

    def ignore(self) -> None:
        """Do nothing more about signals: all is done, and whoever leaves first makes launchers signal the others."""
        self._deaf = True

    def _receive(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if self._deaf:
            return
        if self._signal is None:
            self._signal, self._since = name, monotonic()
            if not self.patient:
                raise StoppedEarly(name)
        elif monotonic() - self._since > ONE_SIGNAL:
            raise KeyboardInterrupt(name)

    def _swallowed(self, lost: Any) -> None:
        """Send a signal again that came in a finalizer or a callback of a weak reference: no exception leads out."""
        if not isinstance(lost.exc_value, KeyboardInterrupt) or not lost.exc_value.args:
            self._unraisable(lost)
            return
        if isinstance(lost.exc_value, StoppedEarly):
            self._signal = None
        again = threading.Timer(_AGAIN, os.kill, (os.getpid(), signal.Signals[lost.exc_value.args[0]]))
        again.daemon = True
        again.start()


_listening: StopSignals | None = None


@contextmanager
def listening() -> Iterator[StopSignals]:
    """Listen to signals, or go on with what listens already: the command line does from its first line on."""
    global _listening
    if _listening is not None:
        yield _listening
        return
    _protect_children()
    with StopSignals() as _listening:
        try:
            yield _listening
        finally:
            _listening = None


_protecting = False


def _protect_children() -> None:
    """Let processes that are forked from this one end as others do, not ask for a stop of their own."""
    global _protecting
    if not _protecting and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_leave_signals_to_the_parent)
        _protecting = True


def _leave_signals_to_the_parent() -> None:
    if _listening is not None and threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)


def endure_signals(worker: int = 0) -> None:
    """Let a worker of a loader outlive what its whole group is sent, so that a step boundary is reached.

    To be a `worker_init_fn`. The process that started the worker can end it as ever.
    """
    for number in SIGNALS:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_when_the_parent_asks, daemon=True).start()


def _end_when_the_parent_asks() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        continue
    os._exit(0)


def end_with_parent() -> None:
    """Be sent SIGTERM when the process that started this one dies; only Linux can do that."""
    import ctypes

    set_death_signal = 1
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(set_death_signal, int(signal.SIGTERM))
