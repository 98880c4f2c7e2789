"""Where the processes of a run come from."""

from __future__ import annotations

import subprocess
import sys

__all__ = ["Local", "Torchrun"]


class Local:
    """Starts the processes of a run on this machine, by torchrun's own agent; one that dies takes the others down."""

    def launch(self, arguments: list[str], processes: int) -> int:
        """Run `ot <arguments>` on `processes` processes; return the exit code of the run."""
        return Torchrun(nnodes="1").launch(arguments, processes)


class Torchrun:
    """Starts the processes through `torchrun`, on one machine or on several.

    Args:
        nnodes: Number of machines, or `MIN:MAX` for an elastic run.
        rdzv_endpoint: `HOST:PORT` of the rendezvous; null for a free port of this machine.
        max_restarts: How often a failed group of processes is started again.
    """

    def __init__(self, nnodes: str = "1", rdzv_endpoint: str | None = None, max_restarts: int = 0) -> None:
        self._nnodes = nnodes
        self._endpoint = rdzv_endpoint
        self._max_restarts = max_restarts

    def launch(self, arguments: list[str], processes: int) -> int:
        """Run `ot <arguments>` on `processes` processes of this machine; return the exit code of the run."""
        where = ["--rdzv-backend=c10d", f"--rdzv-endpoint={self._endpoint}"] if self._endpoint else ["--standalone"]
        torchrun = [sys.executable, "-m", "torch.distributed.run", *where]
        torchrun += [f"--nnodes={self._nnodes}", f"--nproc-per-node={processes}", f"--max-restarts={self._max_restarts}"]
        return subprocess.call([*torchrun, "-m", "offline_trainer_core", *arguments])
