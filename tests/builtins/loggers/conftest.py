"""Runs for loggers to write into, with the record that the engine writes beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.record import RecordLogger
from offline_trainer_core.types import RunInfo

Report = tuple[int, str]
"""Step and stage."""


@pytest.fixture
def run_info(tmp_path: Path) -> RunInfo:
    return RunInfo("pusht", tmp_path)


def value(step: int, stage: str) -> float:
    return step / 8 + (stage == "val")


@pytest.fixture
def session() -> Iterator[Callable[..., dict[str, int]]]:
    """Yield a function that does what a session of a run does to its loggers: the record is the first of them.

    It returns the state of the record when `saved` reports were made, as a checkpoint has it. A session that is killed
    closes no logger; that is done when the test ends.
    """
    open_loggers = []

    def go(
        run: RunInfo,
        logger: Any,
        reports: Iterable[Report],
        resume: tuple[int, dict[str, int]] | None = None,
        *,
        saved: int | None = None,
        killed: bool = False,
    ) -> dict[str, int]:
        record, state = RecordLogger(), {}
        step, restored = resume or (None, None)
        if restored is not None:
            record.load_state_dict(restored)
        record.open(run, step)
        logger.open(run, step)
        for number, (at, stage) in enumerate(reports, start=1):
            for each in (record, logger):
                each.log_metrics({"loss": value(at, stage)}, step=at, stage=stage)
            if number == saved:
                state = record.state_dict()
        record.close()
        if killed:
            open_loggers.append(logger)
        else:
            logger.close()
        return state

    yield go
    for logger in open_loggers:
        logger.close()
