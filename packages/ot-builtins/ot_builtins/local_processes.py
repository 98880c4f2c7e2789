"""The processes of a run on one machine: started together, told of signals, and ended together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, sleep

from offline_trainer_core.distributed import LISTENING, StopSignals, listening

__all__ = ["Ending", "run_processes"]

Ending = tuple[int, int]
"""The rank of a process and its exit code, negative where a signal killed it."""

SECONDS_BETWEEN_LOOKS = 0.05
SECONDS_TO_FOLLOW = 10.0
"""How long the others may take to end by themselves when one has failed, or when they are told to end at once."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def run_processes(arguments: Sequence[str], count: int) -> list[Ending]:
    """Run `ot <arguments>` on `count` processes; return how they ended, in that order, but for those that were killed
    here because another one had failed.
    """
    with listening() as signals:
        signals.patient = True
        with _started(arguments, count) as processes:
            try:
                return _watched(processes, signals)
            except KeyboardInterrupt:  # a second signal
                _send(processes, signal.SIGTERM)
                end = monotonic() + SECONDS_TO_FOLLOW
                while _alive(processes) and monotonic() < end:
                    sleep(SECONDS_BETWEEN_LOOKS)
                raise


@contextmanager
def _started(arguments: Sequence[str], count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start the processes, and leave none behind.

    Process 0 takes the open socket over, so that nobody else can take its port. Signals wait until all are started, and
    in each process until it listens to them.
    """
    processes: list[subprocess.Popen[bytes]] = []
    command = [sys.executable, "-m", "offline_trainer_core", *arguments]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            for rank in range(count):
                environment, sockets = _environment(rank, count, server)
                processes.append(subprocess.Popen(command, env=environment, pass_fds=sockets, start_new_session=True))
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield processes
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        _send(processes, signal.SIGKILL)
        for process in processes:
            process.wait()


def _environment(rank: int, count: int, server: socket.socket) -> tuple[dict[str, str], list[int]]:
    """Return the environment of a process, as torchrun would make it, and the sockets that it inherits."""
    address, port = server.getsockname()
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "MASTER_ADDR": address}
    environment |= {name: str(value) for name, value in places.items()}
    if rank == 0:
        return {**environment, LISTENING: str(server.fileno())}, [server.fileno()]
    return environment, []


def _watched(processes: Sequence[subprocess.Popen[bytes]], signals: StopSignals) -> list[Ending]:
    endings: dict[int, int] = {}
    passed_on, end = False, float("inf")
    while len(endings) < len(processes) and monotonic() < end:
        sleep(SECONDS_BETWEEN_LOOKS)
        for rank, process in enumerate(processes):
            if rank not in endings and process.poll() is not None:
                endings[rank] = process.returncode
        if end == float("inf") and any(endings.values()):
            end = monotonic() + SECONDS_TO_FOLLOW
        if signals.received is not None and not passed_on:
            _send(processes, signal.Signals[signals.received])
            passed_on = True
    return list(endings.items())


def _alive(processes: Sequence[subprocess.Popen[bytes]]) -> list[subprocess.Popen[bytes]]:
    return [process for process in processes if process.poll() is None]


def _send(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    for process in _alive(processes):
        process.send_signal(number)
