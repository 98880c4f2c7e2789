"""What a storage format must offer: named columns of rows, and where episodes end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from offline_trainer_core.errors import DataError, OfflineTrainerError

__all__ = ["Array", "Column", "Storage", "reading"]

Array = NDArray[Any]


class Column(NamedTuple):
    """One field, read block by block: `blocks` are arrays `(n, ...)` whose `n` add up to `rows`."""

    rows: int
    blocks: Iterable[Array]


class Storage(Protocol):
    """An opened file or folder. Nothing but names and lengths is read before `column` is called."""

    where: str
    """The path, as messages name it."""
    fields: list[str]

    @property
    def ends(self) -> Array | None:
        """The row after the last one of each episode, as stored; None where the file knows no episodes."""

    def column(self, field: str) -> Column: ...


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn whatever a format's library raises about a damaged file into a `DataError` that names the file."""
    try:
        yield
    except OfflineTrainerError:
        raise
    except Exception as error:
        raise DataError(f"{where} cannot be read: {error}") from error
