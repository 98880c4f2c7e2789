"""What a campaign has shown: tables for people, and the same as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from campaign import Campaign, Verdict
from points import POINTS

__all__ = ["as_json", "as_text", "failures"]

COLUMNS = ("kills", "instants", "points", "one of two", "resumes", "lost", "equal")
HITS = 3
"""How often a long campaign kills at each point, at least."""


def as_text(campaigns: Sequence[Campaign], controls: dict[str, str], hits: int) -> str:
    """Return the table of configurations, that of crash points, and what was wrong."""
    everything = [verdict for campaign in campaigns for verdict in campaign.verdicts]
    rows = [(str(campaign.configuration), _counts([campaign])) for campaign in campaigns]
    lines = [f"{'configuration':24}" + "".join(f"{column:>12}" for column in COLUMNS)]
    for name, row in [*rows, ("all", _counts(campaigns))]:
        lines.append(f"{name:24}" + "".join(f"{row[column]:12}" for column in COLUMNS))
    lines += ["", f"{'crash point':48}{'kills':>6}"]
    killed_at = _kills_by_point(campaigns)
    lines += [f"{point:48}{killed_at[point]:6}" for point in POINTS]
    lines += ["", *(f"{count:6} {what}" for what, count in _observations(campaigns, everything).items()), ""]
    for fault, found in controls.items():
        lines.append(f"control: {fault or 'nothing is wrong'}: {found or 'no difference'}")
    return "\n".join([*lines, *(f"FAILED: {failure}" for failure in failures(campaigns, controls, hits))])


def as_json(campaigns: Sequence[Campaign], controls: dict[str, str], hits: int) -> dict[str, Any]:
    """Return everything that was found, kill by kill."""
    everything = [verdict for campaign in campaigns for verdict in campaign.verdicts]
    return {
        "configurations": {str(campaign.configuration): _counts([campaign]) for campaign in campaigns},
        "all": _counts(campaigns),
        "points": dict(_kills_by_point(campaigns)),
        "observations": _observations(campaigns, everything),
        "controls": controls,
        "failures": failures(campaigns, controls, hits),
        "kills": [{"configuration": str(c.configuration), **asdict(v)} for c in campaigns for v in c.verdicts],
    }


def failures(campaigns: Sequence[Campaign], controls: dict[str, str], hits: int) -> list[str]:
    """Return what the campaigns were to show and have not: lost runs, differences, points that were missed."""
    found = []
    for campaign in campaigns:
        for verdict in campaign.verdicts:
            where = f"{campaign.configuration}, {_described(verdict)}"
            found += [f"{where}: lost, {verdict.lost}"] if verdict.lost else []
            found += [f"{where}: {', '.join(sorted(set(verdict.different))[:4])}"] if verdict.different else []
        found += [f"{campaign.configuration} never came by: {point}" for point in campaign.never_reached]
    killed_at = _kills_by_point(campaigns)
    found += [f"only {killed_at[point]} kills at: {point}" for point in POINTS if killed_at[point] < hits]
    found += [f"nobody noticed that {fault}" for fault, effect in controls.items() if fault and not effect]
    return found + ([f"a resume without a fault differs: {controls['']}"] if controls.get("") else [])


def _counts(campaigns: Sequence[Campaign]) -> dict[str, int]:
    verdicts = [verdict for campaign in campaigns for verdict in campaign.verdicts]
    at_points = sum(bool(verdict.death.point) for verdict in verdicts)
    values = (
        len(verdicts),
        len(verdicts) - at_points,
        at_points,
        sum(verdict.death.alone for verdict in verdicts),
        sum(campaign.resumes for campaign in campaigns),
        sum(bool(verdict.lost) for verdict in verdicts),
        sum(not verdict.lost and not verdict.different for verdict in verdicts),
    )
    return dict(zip(COLUMNS, values, strict=True))


def _kills_by_point(campaigns: Sequence[Campaign]) -> Counter[str]:
    return Counter(v.death.point for campaign in campaigns for v in campaign.verdicts if v.death.point)


def _observations(campaigns: Sequence[Campaign], verdicts: Sequence[Verdict]) -> dict[str, int]:
    return {
        "checkpoints compared with those of the reference": sum(verdict.checkpoints for verdict in verdicts),
        "resumes in the epoch of the resume before": sum(campaign.same_epoch for campaign in campaigns),
        "kills after a resume and before its first checkpoint": sum(
            verdict.began_from >= 0 and not verdict.published for verdict in verdicts
        ),
        "kills before the first checkpoint of the run": sum(verdict.left < 0 for verdict in verdicts),
        "resumes that said 'exact'": sum(verdict.resume.startswith("resume: exact") for verdict in verdicts),
    }


def _described(verdict: Verdict) -> str:
    death = verdict.death
    how = f"killed at '{death.point}' ({death.ordinal})" if death.point else f"killed at {death.moment:.3f} of its time"
    return f"{how}{f', process {death.rank} alone' if death.alone else ''}, left checkpoint {verdict.left}"
