"""Processes ask each other as often as a signal can wait, and stop alike."""

import pytest

from offline_trainer_core.distributed import Agreement, OneProcess, agreement


class OfMany(OneProcess):
    """Stands for a process whose peers say nothing."""

    agreement_interval = 10


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""
    time = [0.0]
    monkeypatch.setattr(agreement, "monotonic", lambda: time[0])
    return time


def steps_of_agreement(collectives, clock, seconds, steps=40):
    agreed, asked = Agreement(collectives), []
    for step in range(1, steps + 1):
        clock[0] += seconds
        if agreed.due(step):
            agreed.reach(step, None, False)
            asked.append(step)
    return asked


def test_processes_with_fast_steps_ask_at_the_interval(clock):
    assert steps_of_agreement(OfMany(), clock, 0.05) == [1, 2, 10, 20, 30, 40]


def test_processes_with_slow_steps_ask_after_each(clock):
    assert steps_of_agreement(OfMany(), clock, 10.0) == list(range(1, 41))


def test_a_run_that_is_resumed_does_not_take_its_slow_steps_for_fast_ones(clock):
    agreed = Agreement(OfMany())
    agreed.reach(5000, None, False, regular=True)
    clock[0] += 10.0
    assert agreed.due(5001)


def test_one_process_asks_after_every_step(clock):
    assert steps_of_agreement(OneProcess(), clock, 0.001) == list(range(1, 41))


def test_between_the_intervals_only_what_makes_a_run_resumable_stops_it():
    agreed = Agreement(OfMany())
    assert not agreed.reach(11, "no improvement", False).stop
    assert agreed.reach(11, "SIGTERM", True) == (True, True, "SIGTERM")
    assert agreed.reach(20, "no improvement", False) == (True, False, "no improvement")
    assert agreed.reach(11, "no improvement", False, regular=True).stop
