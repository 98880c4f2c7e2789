"""Resumes a killed run with a fault, and says whether the comparison finds it."""

from __future__ import annotations

from pathlib import Path

from faults import FAULTS
from judge import Reference, newest_good, step_of
from lives import Configuration, Death, Run

__all__ = ["Controls", "all_effects"]

MID_EPOCH = Death("backward", 110)
AT_EPOCH_END = Death("backward", 408)
"""Shortly after a checkpoint, a metric and an evaluation of one and the same step."""


class Controls:
    """A run that nobody kills, with which runs are compared that are killed once and resumed with a fault."""

    def __init__(self, folder: Path, steps: int = 100) -> None:
        self._folder, self._configuration = folder, Configuration(processes=1, workers=0, steps=steps)
        self.run = Run(folder / "uninterrupted", self._configuration)
        life = self.run.live(None)
        assert life.code == 0, life.output
        self.reference = Reference(self.run.dir, life.published)
        self._killed: dict[Death, Run] = {}

    def _killed_at(self, death: Death) -> Run:
        if death not in self._killed:
            self._killed[death] = Run(self._folder / f"killed-{death.ordinal}", self._configuration)
            self._killed[death].live(death)
        return self._killed[death]

    def effect_of(self, fault: str) -> str:
        """Return what the comparison finds when a run is resumed with `fault`, or with "" for none."""
        killed = self._killed_at(AT_EPOCH_END if fault == "lines are logged twice" else MID_EPOCH)
        run = Run(self._folder / (fault or "nothing").replace(" ", "-"), self._configuration, killed.folder)
        began_from = newest_good(run.dir)
        life = run.live(None, began_from, fault=fault)
        if life.code:
            return f"exit code {life.code}"
        different = [difference for path in life.published for difference in self.reference.differences(path)]
        if min((step_of(path.stem) for path in life.published), default=began_from) < began_from:
            different.insert(0, "it began anew")
        return ", ".join((different + self.reference.differences_at_end(run.dir))[:3])


def all_effects(folder: Path) -> dict[str, str]:
    """Return what the comparison finds of every fault; of no fault, which is named "", it must find nothing."""
    controls = Controls(folder)
    return {fault: controls.effect_of(fault) for fault in ("", *FAULTS)}
