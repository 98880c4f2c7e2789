"""Every point is a place in today's code, and a long campaign kills at each."""

import re
from collections import Counter
from functools import reduce
from importlib import import_module
from pathlib import Path

import pytest
import torch  # noqa: F401 - the places lie in what trains
from faults import FAULTS
from mines import PLACES
from points import POINTS
from report import HITS
from schedule import draw_deaths, shared_out

PARTS = Path(__file__).with_name("experiment")
FUNCTIONS = {point.target for point in POINTS.values()} | {target for fault in FAULTS.values() for target in fault}


@pytest.mark.parametrize("target", sorted(FUNCTIONS))
def test_the_function_is_there(target, monkeypatch):
    module, _, name = target.partition(":")
    if module == "file":
        assert name in PLACES
        return
    monkeypatch.syspath_prepend(PARTS)
    assert callable(reduce(getattr, name.split("."), import_module(module)))


@pytest.mark.parametrize("point", [point for point in POINTS.values() if point.target.startswith("file:")])
def test_the_pattern_of_a_file_can_be_read(point):
    assert re.compile(point.path)


def test_two_hundred_kills_come_by_every_point_three_times():
    shares = shared_out(200)
    at_points = Counter(point for points, _ in shares.values() for point in points)
    assert sum(at_points.values()) == sum(instants for _, instants in shares.values()) == 100
    assert at_points.keys() == POINTS.keys()
    assert min(at_points.values()) >= HITS
    for configuration, (points, instants) in shares.items():
        assert abs(len(points) - 25) <= 3
        assert all(configuration.passes(point) for point in points)
        assert len(draw_deaths(configuration, points, instants, seed=0)) == len(points) + instants


def test_deaths_depend_on_the_seed_alone():
    configuration, (points, instants) = next(iter(shared_out(200).items()))
    drawn = [draw_deaths(configuration, points, instants, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
