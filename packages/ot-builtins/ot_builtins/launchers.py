"""Where the processes of a run come from."""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence

from offline_trainer_core.errors import DeviceError
from offline_trainer_core.types import NonNegativeInt, PositiveInt
from ot_builtins.local_processes import Ending, run_processes

__all__ = ["Local", "Torchrun"]

SAID = (*range(1, 8), 75, 130)
"""Exit codes of a process that has said why it ends."""


class Local:
    """Starts the processes of a run on this machine, passes signals on to them, and lets none outlive the others."""

    def launch(self, arguments: list[str], processes: int) -> int:
        """Run `ot <arguments>` on `processes` processes; return the exit code of the run.

        Raises `DeviceError` where a process dies without a word, and `KeyboardInterrupt` at a second signal, when all
        are gone.
        """
        return exit_code(run_processes(arguments, processes))


class Torchrun:
    """Starts the processes by torchrun's agent, on one machine or on several.

    Args:
        nnodes: Number of machines, or `MIN:MAX` for an elastic run.
        rdzv_endpoint: `HOST:PORT` of the rendezvous; null for a free port of this machine.
        max_restarts: How often a failed group of processes is started again.
        shutdown_timeout: Seconds that the processes have to save and stop when the agent gets a signal.
    """

    def __init__(
        self,
        nnodes: str = "1",
        rdzv_endpoint: str | None = None,
        max_restarts: NonNegativeInt = 0,
        shutdown_timeout: PositiveInt = 600,
    ) -> None:
        self._nnodes = nnodes
        self._endpoint = rdzv_endpoint
        self._max_restarts = max_restarts
        self._shutdown_timeout = shutdown_timeout

    def launch(self, arguments: list[str], processes: int) -> int:
        """Run `ot <arguments>` on `processes` processes of this machine; return the exit code of the run.

        SIGINT, SIGTERM and SIGUSR1 are passed on to every process, which save and stop; the code is then that of the
        signal. Raises `DeviceError` where a process dies without a word.
        """
        where = ["--rdzv-backend=c10d", f"--rdzv-endpoint={self._endpoint}"] if self._endpoint else ["--standalone"]
        return _run_agent(
            [
                *where,
                f"--nnodes={self._nnodes}",
                f"--nproc-per-node={processes}",
                f"--max-restarts={self._max_restarts}",
                f"--shutdown-timeout={self._shutdown_timeout}",
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
        failures = sorted(error.failures.items(), key=lambda item: item[1].timestamp)
        return exit_code([(rank, failure.exitcode) for rank, failure in failures])
    except SignalException as error:
        return 128 + error.sigval
    finally:
        logging.disable(logging.NOTSET)
    return 0


def exit_code(endings: Sequence[Ending]) -> int:
    """Return the exit code of the process that failed first; one that lost another process failed later.

    Raises `DeviceError` where that process has not said why.
    """
    failures = [ending for ending in endings if ending[1] != 0]
    if not failures:
        return 0
    rank, code = min(failures, key=lambda ending: ending[1] == DeviceError.exit_code)
    if code in SAID:
        return code
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    raise DeviceError(f"process {rank} {how}, so the others were stopped; --resume goes on from the newest checkpoint")
