from __future__ import annotations

import math

import pytest
import torch

from offline_trainer_core import ComponentError
from ot_example_plugins.scheduler import WarmupStableDecay


def rates(steps: int, **options: float) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    bundle = WarmupStableDecay(**options).build(optimizer, registry=None, total_steps=steps)
    assert (bundle.interval, bundle.frequency) == ("step", 1)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        bundle.scheduler.step()
    return [*seen, optimizer.param_groups[0]["lr"]]


def test_it_rises_stays_and_falls_to_zero() -> None:
    expected = [0.4, 0.8, 1.2, 1.6, 2.0, 2.0, 2.0] + [2 * (1 - math.sqrt(i / 4)) for i in range(1, 5)]
    assert rates(10, warmup_steps=4, decay_fraction=0.4) == pytest.approx(expected)


def test_the_stable_part_does_not_depend_on_the_length_of_the_run() -> None:
    short, long = rates(10, warmup_steps=2, decay_fraction=0.2), rates(100, warmup_steps=2, decay_fraction=0.2)
    assert short[:9] == long[:9]
    assert short[9] != long[9]


def test_it_must_know_the_length_of_the_run() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))])
    with pytest.raises(ComponentError, match=r"set trainer\.max_steps"):
        WarmupStableDecay().build(optimizer, registry=None)
