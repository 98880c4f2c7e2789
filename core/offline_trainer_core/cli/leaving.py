"""The end of a process of `ot`."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn

__all__ = ["leave"]


def leave(code: int) -> NoReturn:
    """End the process with `code`.

    One of several processes of a run skips the interpreter's teardown: the threads of gloo outlive its connections, and
    abort the process now and then when they are torn down. All that may have something to say before that says it.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        sys.exit(code)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1  # the reader of our output is gone
    os._exit(code)
