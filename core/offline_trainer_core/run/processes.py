"""The processes of a run: joined, and agreed on what they are about to import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar, cast

from offline_trainer_core.distributed import Collectives, connect, listening
from offline_trainer_core.errors import DeviceError, OfflineTrainerError
from offline_trainer_core.plan import Plan, plan_difference

__all__ = ["agree", "joined", "on_process_0"]

_Result = TypeVar("_Result")


@contextmanager
def joined(timeout: float = 600.0) -> Iterator[Collectives]:
    """Join the other processes, and leave together with them; an error that they share is said by one of them.

    Processes wait `timeout` seconds for each other. Raises `DeviceError` where one is gone, or does not answer.
    """
    with listening() as signals:
        collectives = connect(timeout=timedelta(seconds=timeout))
        try:
            yield collectives
            collectives.barrier()
            signals.ignore()
        except Exception as error:
            _say(error, collectives)
            raise
        finally:
            collectives.close()


def _say(error: Exception, collectives: Collectives) -> None:
    """Let one process say what several found, and the others know why this one leaves them."""
    if isinstance(error, OfflineTrainerError) and error.reported:
        return
    lost = None if isinstance(error, OfflineTrainerError) else collectives.lost(error)
    if lost is not None:
        failure = DeviceError(lost)
        failure.reported = not collectives.first_to_say(lost)
        raise failure from error
    if isinstance(error, OfflineTrainerError):
        error.reported = not collectives.first_to_say(str(error))
    collectives.leave_word(f"{type(error).__name__}: {error}".partition("\n")[0])


def agree(plan: Plan, collectives: Collectives) -> None:
    """Stop where a process would import something else than process 0."""
    mine = plan.to_json()
    difference = plan_difference(mine, collectives.broadcast_object(mine))
    if difference:
        raise DeviceError(
            f"process {collectives.rank} would run something else than process 0; install the same distributions on "
            "every machine:\n  " + "\n  ".join(difference)
        )


def on_process_0(collectives: Collectives, work: Callable[[], _Result]) -> _Result:
    """Do `work` on process 0 and return its result on every process; its error ends all, and process 0 says it."""
    result, failure = None, None
    if collectives.rank == 0:
        try:
            result = work()
        except OfflineTrainerError as error:
            failure = error
    result, failure = collectives.broadcast_object((result, failure))
    if failure is not None:
        failure.reported = collectives.rank > 0
        raise failure
    return cast("_Result", result)
