"""Who is killed where: every point in turn, shared out over the configurations, and as many instants."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import cycle, islice

from lives import Configuration, Death
from points import POINTS

__all__ = ["CONFIGURATIONS", "draw_deaths", "shared_out"]

CONFIGURATIONS = tuple(Configuration(processes, workers) for processes in (2, 1) for workers in (2, 0))


def shared_out(kills: int) -> dict[Configuration, tuple[list[str], int]]:
    """Return at which points the runs of each configuration are killed, and how often at an instant: half and half."""
    shares: dict[Configuration, list[str]] = {configuration: [] for configuration in CONFIGURATIONS}
    for point in islice(cycle(POINTS), kills - kills // 2):
        fitting = [configuration for configuration in CONFIGURATIONS if configuration.passes(point)]
        shares[min(fitting, key=lambda one: (shares[one].count(point), len(shares[one])))].append(point)
    each, rest = divmod(kills // 2, len(CONFIGURATIONS))
    return {one: (points, each + (number < rest)) for number, (one, points) in enumerate(shares.items())}


def draw_deaths(configuration: Configuration, points: Sequence[str], instants: int, seed: int) -> list[Death]:
    """Draw which pass at each of `points` is the last, as many `instants`, and which process is killed there."""
    chance = random.Random(f"{seed}/{configuration}")
    deaths = [_at(point, configuration, chance) for point in points]
    for _ in range(instants):
        rank = chance.randrange(configuration.processes)
        deaths.append(Death(moment=chance.random(), rank=rank, alone=_alone(configuration, chance)))
    chance.shuffle(deaths)
    return deaths


def _at(point: str, configuration: Configuration, chance: random.Random) -> Death:
    where = POINTS[point]
    ranks = {"main": [0], "second": [1]}.get(where.processes) or range(configuration.processes)
    return Death(point, chance.randint(1, where.passes), 0.0, chance.choice(ranks), _alone(configuration, chance))


def _alone(configuration: Configuration, chance: random.Random) -> bool:
    return configuration.processes > 1 and chance.random() < 0.5
