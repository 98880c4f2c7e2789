"""Where the processes of a run come from."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from offline_trainer_core.errors import DeviceError
from offline_trainer_core.types import NonNegativeInt

__all__ = ["Local", "Torchrun"]

OURS = range(2, 8)
"""Exit codes of a process that has said what is wrong."""


class Local:
    """Starts the processes of a run on this machine, by torchrun's own agent; one that dies takes the others down."""

    def launch(self, arguments: list[str], processes: int) -> int:
        """Run `ot <arguments>` on `processes` processes; return the exit code of the run."""
        return Torchrun(nnodes="1").launch(arguments, processes)


class Torchrun:
    """Starts the processes by torchrun's agent, on one machine or on several.

    Args:
        nnodes: Number of machines, or `MIN:MAX` for an elastic run.
        rdzv_endpoint: `HOST:PORT` of the rendezvous; null for a free port of this machine.
        max_restarts: How often a failed group of processes is started again.
    """

    def __init__(self, nnodes: str = "1", rdzv_endpoint: str | None = None, max_restarts: NonNegativeInt = 0) -> None:
        self._nnodes = nnodes
        self._endpoint = rdzv_endpoint
        self._max_restarts = max_restarts

    def launch(self, arguments: list[str], processes: int) -> int:
        """Run `ot <arguments>` on `processes` processes of this machine; return the exit code of the run.

        SIGINT, SIGTERM and SIGUSR1 are passed on to every process, which save and stop. Raises `DeviceError` where a
        process dies without a word.
        """
        where = ["--rdzv-backend=c10d", f"--rdzv-endpoint={self._endpoint}"] if self._endpoint else ["--standalone"]
        return _run_agent(
            [
                *where,
                f"--nnodes={self._nnodes}",
                f"--nproc-per-node={processes}",
                f"--max-restarts={self._max_restarts}",
                "--signals-to-handle=SIGTERM,SIGINT,SIGUSR1,SIGHUP,SIGQUIT",
                "--module",
                "offline_trainer_core",
                *arguments,
            ]
        )


def _run_agent(arguments: Sequence[str]) -> int:
    from torch.distributed import run as agent
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.disable(logging.ERROR)  # the agent's account of what the processes say themselves
    try:
        agent.run(agent.parse_args(list(arguments)))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        return _exit_code(error.failures)
    except SignalException as error:
        return 128 + error.sigval
    finally:
        logging.disable(logging.NOTSET)
    return 0


def _exit_code(failures: dict[int, Any]) -> int:
    """Return the exit code of the process that failed first; one that lost another process failed later."""
    rank, first = min(failures.items(), key=lambda item: (item[1].exitcode == DeviceError.exit_code, item[1].timestamp))
    code: int = first.exitcode
    if code in OURS:
        return code
    how = f"was killed by {first.signal_name()}" if code < 0 else f"ended with exit code {code}"
    raise DeviceError(f"process {rank} {how}, so the others were stopped; --resume goes on from the newest checkpoint")
