"""Resumes a killed run with a fault, and says whether the comparison finds it."""

from __future__ import annotations

from pathlib import Path

from faults import FAULTS
from judge import Reference, newest_good, step_of
from lives import Configuration, Death, Run

__all__ = ["Controls", "all_effects"]

MID_EPOCH = Death("backward", 162)
"""In the second epoch, within step 28, after lines that the checkpoint of step 24 has not seen."""


class Controls:
    """A run that nobody kills, with which runs are compared that are killed once and resumed with a fault."""

    def __init__(self, folder: Path, steps: int = 100) -> None:
        self._folder, self._configuration = folder, Configuration(processes=1, workers=0, steps=steps)
        self.run = Run(folder / "uninterrupted", self._configuration)
        life = self.run.live(None)
        assert life.code == 0, life.output
        self.reference = Reference(self.run.dir, life.published)
        self._killed = Run(folder / "killed", self._configuration)
        self._killed.live(MID_EPOCH)

    def effect_of(self, fault: str) -> str:
        """Return what the comparison finds when a run is resumed with `fault`, or with "" for none."""
        run = Run(self._folder / (fault or "nothing").replace(" ", "-"), self._configuration, self._killed.folder)
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
