"""The processes of a run: joined, and agreed on what they are about to import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from offline_trainer_core.distributed import Collectives, connect
from offline_trainer_core.errors import DeviceError, OfflineTrainerError
from offline_trainer_core.plan import Plan, plan_difference

__all__ = ["agree", "joined"]


@contextmanager
def joined() -> Iterator[Collectives]:
    """Join the other processes, and leave them; an error that they share is said by one of them."""
    collectives = connect()
    try:
        yield collectives
    except OfflineTrainerError as error:
        error.reported = not collectives.first_to_say(str(error))
        raise
    finally:
        collectives.close()


def agree(plan: Plan, collectives: Collectives) -> None:
    """Stop where a process would import something else than process 0."""
    mine = plan.to_json()
    difference = plan_difference(mine, collectives.broadcast_object(mine))
    if difference:
        raise DeviceError(
            f"process {collectives.rank} would run something else than process 0; install the same distributions on "
            "every machine:\n  " + "\n  ".join(difference)
        )
