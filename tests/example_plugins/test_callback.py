from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ot_example_plugins import callback
from ot_example_plugins.callback import TimeLimit


@dataclass
class Context:
    """What the callback uses of a run's context, with another process beside it."""

    other_is_late: bool = False
    step: int = 0
    events: list[str] = field(default_factory=list)

    @property
    def collectives(self) -> Context:
        return self

    def any(self, flag: bool) -> bool:
        return flag or self.other_is_late

    def due(self, every_n_steps: int) -> bool:
        return self.step % every_n_steps == 0

    def stop(self, reason: str, *, resumable: bool) -> None:
        assert resumable, "a run without a checkpoint of its end could not go on"
        self.events.append(reason)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(callback.time, "monotonic", lambda: now[0])
    return now


def test_it_stops_once_the_time_is_over(clock: list[float]) -> None:
    limit, context = TimeLimit(minutes=2, every_n_steps=5), Context()
    limit.on_fit_start()
    clock[0] += 119
    for context.step in range(1, 11):
        limit.on_train_step_end(context)
    assert context.events == []
    clock[0] += 2
    for context.step in range(11, 16):
        limit.on_train_step_end(context)
    assert context.events == ["the time limit of 2 minutes"]


def test_all_processes_stop_where_the_first_one_does(clock: list[float]) -> None:
    limit, context = TimeLimit(minutes=2, every_n_steps=1), Context(other_is_late=True)
    limit.on_fit_start()
    limit.on_train_step_end(context)
    assert context.events == ["the time limit of 2 minutes"]
