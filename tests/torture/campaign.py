"""Kills the runs of one configuration again and again, and judges what they become."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from judge import Reference, damaged, newest_good, step_of
from lives import Configuration, Death, Life, Run

__all__ = ["Campaign", "Verdict"]

KILLS_PER_RUN = 8
STEPS_PER_EPOCH = 17
TRIES = 4
"""How many runs may end before they come by a point, until it counts as one that is never reached."""


@dataclass
class Verdict:
    """What is known of one kill when its run has ended."""

    death: Death
    began_from: int
    """Step of the checkpoint that the killed life had gone on from; -1 for none."""
    left: int
    """Step of the newest good checkpoint that the kill left behind."""
    published: int
    """How many checkpoints the killed life had published."""
    said: str = ""
    """What was said last, where one process was killed and the others were left to notice."""
    lost: str = ""
    different: list[str] = field(default_factory=list)
    checkpoints: int = 0
    """How many checkpoints of the next life were compared."""
    resume: str = ""
    """What the next life said of its exactness."""


class Campaign:
    """The kills of one configuration: runs in folders of their own, each killed several times and then finished."""

    def __init__(self, configuration: Configuration, deaths: list[Death], folder: Path) -> None:
        self.configuration, self.folder = configuration, folder
        self.verdicts: list[Verdict] = []
        self.never_reached: list[str] = []
        self.resumes = self.same_epoch = 0
        self._waiting = list(deaths)
        self._misses: Counter[str] = Counter()

    def carry_out(self, tell: Callable[[str], None] = lambda line: None) -> None:
        """Kill until nobody is left to be killed."""
        self.reference = self._reference()
        tell(f"{self.configuration}: the reference took {self._whole:.1f} s")
        number = 0
        while self._waiting:
            number += 1
            run = Run(self.folder / f"{_short(self.configuration)}-{number}", self.configuration)
            verdicts = self._kill_and_finish(run)
            self.verdicts += verdicts
            wrong = [verdict for verdict in verdicts if verdict.lost or verdict.different]
            tell(f"{self.configuration}: run {number}, {len(verdicts)} kills, {len(wrong)} not made good")

    def _reference(self) -> Reference:
        run = Run(self.folder / f"{_short(self.configuration)}-reference", self.configuration)
        life = run.live(None)
        if life.code:
            raise RuntimeError(f"the run that nobody killed failed:\n{life.output}")
        first, last = (path.stat().st_mtime for path in (life.published[0], life.published[-1]))
        self._whole, self._training = life.seconds, last - first
        return Reference(run.dir, life.published)

    def _kill_and_finish(self, run: Run) -> list[Verdict]:
        verdicts: list[Verdict] = []
        while True:
            began_from = newest_good(run.dir)
            death = self._next_death(began_from, len(verdicts))
            life = run.live(death, began_from, self._expected(began_from))
            if not life.killed and not verdicts and life.code:
                raise RuntimeError(f"a run that nobody has killed failed:\n{life.output}")
            self._judge(life, verdicts)
            if death is None or not life.killed:
                self._missed(death)
                break
            verdicts.append(Verdict(death, began_from, newest_good(run.dir), len(life.published), _last_words(life)))
            verdicts[-1].different += damaged(run.dir)
            verdicts[-1].lost = _without_a_word(life)
        unfinished = life.code != 0
        different = ["it was never finished"] if unfinished else self.reference.differences_at_end(run.dir)
        for verdict in verdicts:
            verdict.different += different
        return verdicts

    def _next_death(self, began_from: int, kills: int) -> Death | None:
        """Choose how a life ends that begins at a checkpoint: after some kills at its own end, or not at all."""
        wanted = {"end"} if kills >= KILLS_PER_RUN else {"start", "loop"} | ({"resume"} if began_from >= 0 else set())
        fitting = [death for death in self._waiting if death.phase in wanted]
        if fitting:
            self._waiting.remove(fitting[0])
            return fitting[0]
        if began_from < 0 and any(death.phase == "resume" for death in self._waiting):
            return Death("backward", 60)  # so that there is a checkpoint to go on from
        ending = [death for death in self._waiting if death.phase == "end"]
        if ending:
            self._waiting.remove(ending[0])
        return ending[0] if ending else None

    def _expected(self, began_from: int) -> float:
        """Return how long a life takes that nobody ends."""
        return self._whole - self._training * max(0, began_from) / self.configuration.steps

    def _missed(self, death: Death | None) -> None:
        """A run ended before it came by where it was to die: that is tried again in another."""
        if death is None:
            return
        self._misses[death.point] += 1
        if self._misses[death.point] < TRIES * (1 if death.point else 100):
            self._waiting.insert(0, Death(death.point, 1, death.moment / 2, death.rank, death.alone))
        else:
            self.never_reached.append(death.point)

    def _judge(self, life: Life, verdicts: list[Verdict]) -> None:
        """Add to the verdict on the last kill what became of the run after it."""
        if not verdicts:
            return
        last = verdicts[-1]
        self._count(life, verdicts)
        last.lost = last.lost or _loss(life)
        for path in life.published:
            last.checkpoints += 1
            last.different += self.reference.differences(path)
        last.resume = next((line for line in life.output.splitlines() if line.startswith("resume: ")), "")
        if life.began_from >= 0 and life.published and not last.resume.startswith("resume: exact"):
            last.different.append(f"it said '{last.resume}'")

    def _count(self, life: Life, verdicts: list[Verdict]) -> None:
        if life.began_from < 0:
            return
        self.resumes += 1
        before = [verdict.began_from for verdict in verdicts[-1:] if verdict.began_from > 0]
        self.same_epoch += any(_epoch(step) == _epoch(life.began_from) for step in before)


def _epoch(step: int) -> int:
    return step // STEPS_PER_EPOCH


def _last_words(life: Life) -> str:
    lines = life.output.strip().splitlines()
    return lines[-1] if life.ended and lines else ""


def _without_a_word(life: Life) -> str:
    """Return what a run did wrong that lost one of its processes: it must end soon, with an error that names it."""
    if life.hung:
        return "it hung when it had lost a process"
    if life.ended and ("Traceback" in life.output or "error: " not in life.output):
        return f"it did not say what it had lost: {_last_words(life)}"
    return ""


def _loss(life: Life) -> str:
    """Return why a life shows that its run was lost; nothing if it was not."""
    if life.hung:
        return "it hung"
    if not life.killed and life.code != 0:
        return f"it ended with exit code {life.code}: {_last_words(life)}"
    first = min((step_of(path.stem) for path in life.published), default=life.began_from)
    if first < life.began_from:
        return f"it began anew at step {first}, although checkpoint {life.began_from} was there"
    return ""


def _short(configuration: Configuration) -> str:
    return f"{configuration.processes}-{configuration.workers}"
