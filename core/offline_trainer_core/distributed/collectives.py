"""What the processes of a run say to each other. One process is an implementation, not a special case."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from offline_trainer_core.errors import ComponentError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Collectives", "OneProcess", "agree_on_names"]


class Collectives(Protocol):
    """The collective operations that a run needs; every process calls each of them in the same order."""

    rank: int
    world_size: int
    local_rank: int
    agreement_interval: int
    """How many steps may pass between two agreements on whether to stop."""

    def all_reduce_sum(self, tensor: Tensor) -> Tensor: ...

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true on any process."""

    def largest(self, values: Sequence[float]) -> list[float]:
        """Return the largest of each value over all processes."""

    def broadcast_object(self, value: Any) -> Any:
        """Return rank 0's `value` on every process."""

    def gather_object(self, value: Any) -> list[Any] | None:
        """Return every process's `value` on rank 0, and None elsewhere."""

    def barrier(self) -> None: ...

    def first_to_say(self, text: str) -> bool:
        """Whether no process has said `text` before: not collective, for what every process finds for itself."""

    def leave_word(self, text: str) -> None:
        """Tell the others why this process leaves them: not collective."""

    def lost(self, error: BaseException) -> str | None:
        """Return which process is gone, where `error` is about that, and what it said last; else None."""

    def apart(self) -> Collectives:
        """Return collectives of the same processes for another thread, whose calls do not meet those of this one."""

    def close(self) -> None: ...


class OneProcess:
    """A run of one process: every collective is the identity."""

    rank = 0
    world_size = 1
    local_rank = 0
    agreement_interval = 1

    def all_reduce_sum(self, tensor: Tensor) -> Tensor:
        return tensor

    def any(self, flag: bool) -> bool:
        return flag

    def largest(self, values: Sequence[float]) -> list[float]:
        return list(values)

    def broadcast_object(self, value: Any) -> Any:
        return value

    def gather_object(self, value: Any) -> list[Any] | None:
        return [value]

    def barrier(self) -> None:
        return None

    def first_to_say(self, text: str) -> bool:
        return True

    def leave_word(self, text: str) -> None:
        return None

    def lost(self, error: BaseException) -> str | None:
        return None

    def apart(self) -> OneProcess:
        return self

    def close(self) -> None:
        return None


def agree_on_names(
    names: Iterable[str], what: str, collectives: Collectives, *, none_is_fine: bool = False
) -> list[str]:
    """Return, in the same order on every process, the names of the values that all of them are about to reduce.

    A process without any, where that is fine, takes part with those of the others. Raises `ComponentError` on every
    process where they differ: values would be mixed up, or processes wait for each other forever.
    """
    mine = sorted(names)
    digest = float(zlib.crc32("\n".join(mine).encode()))
    highest, lowest = collectives.largest([digest, -digest])
    if highest == -lowest:
        return mine
    everyones = collectives.broadcast_object(collectives.gather_object(mine))
    named = {rank: set(theirs) for rank, theirs in enumerate(everyones) if theirs or not none_is_fine}
    first, reference = next(iter(named.items()))
    for rank, theirs in named.items():
        only = {first: sorted(reference - theirs), rank: sorted(theirs - reference)}
        if any(only.values()):
            logged = [
                f"of processes {first} and {rank}, {a} alone logs {', '.join(own)}" for a, own in only.items() if own
            ]
            raise ComponentError(f"the processes of a run must log the same {what}; {'; '.join(logged)}")
    return sorted(reference)
