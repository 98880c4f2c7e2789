"""Trains the Push-T examples from several seeds, has their checkpoints play, and compares what they reach.

    OT_DATA=<folder that holds pusht/> python benchmarks/pusht.py [--steps 16000] [--jobs 2] [OVERRIDE ...]

Every run has the same number of steps, and every checkpoint plays the same episodes; an OVERRIDE, `key=value` as for
`ot run`, holds for all. What is there is not done again: stop it when you like, and give the same command to go on.

Below `--out` lie the run folders, `logs/`, `scores.json` with every episode, `table.md` and `scores.png`. Intervals are
Wilson's over the pooled rollouts for success, and a bootstrap over training seeds and rollouts for coverage.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from pusht_report import as_table, draw
from pusht_scores import summary

from offline_trainer_core import resolve_config

EXAMPLES = Path(__file__).parents[1] / "examples" / "pusht"
OT = (sys.executable, "-m", "offline_trainer_core")
STOPPED = 75
"""Exit code of `ot run` when a signal stopped it, and it has saved."""
SETTINGS = ("steps", "checkpoints", "episodes", "overrides")
"""What all runs below one folder have in common."""


class Trial(NamedTuple):
    """One run: an example and a seed."""

    algorithm: str
    seed: int
    folder: Path

    def checkpoint(self, step: int) -> Path:
        return self.folder / "checkpoints" / f"step_{step:08d}"

    def episodes(self, step: int) -> list[dict[str, Any]] | None:
        """Return what the policy of a step has played, at the end of the run or afterwards; None if it has not."""
        for folder in (self.folder, self.folder / "eval" / self.checkpoint(step).name):
            file = folder / "evaluations" / str(step) / "episodes.json"
            if file.is_file():
                played: list[dict[str, Any]] = json.loads(file.read_text())["episodes"]["policy"]
                return played
        return None


class Campaign:
    """All runs of one folder, and the processes that are at work on them."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.out: Path = given.out
        self.settings = {name: getattr(given, name) for name in SETTINGS}
        self.every: int = given.steps // given.checkpoints
        self.steps = list(range(self.every, given.steps + 1, self.every))
        self.trials = [
            Trial(name, seed, self.out / f"{name}-{seed}") for seed in given.seeds for name in given.algorithms
        ]
        self.failures: list[str] = []
        self._jobs: int = given.jobs
        self._running: set[subprocess.Popen[bytes]] = set()
        self._began = time.monotonic()

    def carry_out(self) -> None:
        """Train what is not trained, then evaluate what is not evaluated."""
        self._do(self.train, (trial for trial in self.trials if trial.episodes(self.steps[-1]) is None))
        left = ((trial, step) for step in self.steps for trial in self.trials if trial.episodes(step) is None)
        self._do(self.evaluate, (one for one in left if one[0].checkpoint(one[1]).is_dir()))

    def train(self, trial: Trial) -> None:
        example = EXAMPLES / f"{trial.algorithm}.yaml"
        self._ot(trial, "trained", "run", str(example), "--resume", *self._overrides(trial, example))

    def evaluate(self, one: tuple[Trial, int]) -> None:
        trial, step = one
        where = ["--checkpoint", str(trial.checkpoint(step))]
        self._ot(trial, f"evaluated at step {step:,}", "eval", str(trial.folder), *where)

    def stop(self, number: int, _: object) -> None:
        """Have every process save and stop, and leave."""
        for process in list(self._running):
            process.send_signal(number)
        raise SystemExit(128 + number)

    def curves(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Return algorithm → step → summary, of what has been played."""
        curves: dict[str, dict[int, dict[str, Any]]] = {}
        for algorithm in dict.fromkeys(trial.algorithm for trial in self.trials):
            for step in self.steps:
                played = {t.seed: t.episodes(step) for t in self.trials if t.algorithm == algorithm}
                if known := {seed: episodes for seed, episodes in played.items() if episodes is not None}:
                    curves.setdefault(algorithm, {})[step] = summary(known)
        return curves

    def _overrides(self, trial: Trial, example: Path) -> list[str]:
        saves = _position(example, "cb.model_checkpoint")
        return [
            *(f"run.name={trial.folder.name}", f"run.out_dir={self.out}", f"run.seed={trial.seed}"),
            *(f"trainer.max_steps={self.settings['steps']}", "~loggers"),
            *(f"callbacks[{saves}].every_n_steps={self.every}", f"callbacks[{saves}].keep_last=null"),
            *(f"eval.episodes={self.settings['episodes']}", "eval.num_envs=25", "eval.video=0", "~eval.baselines"),
            *self.settings["overrides"],
        ]

    def _do(self, work: Callable[[Any], None], items: Iterable[Any]) -> None:
        pool = ThreadPoolExecutor(self._jobs)
        try:
            for _ in pool.map(work, items):
                pass
        finally:
            pool.shutdown(cancel_futures=True)

    def _ot(self, trial: Trial, done: str, *arguments: str) -> None:
        """Run one `ot` command on one thread; what it prints goes to the log of the trial."""
        log = self.out / "logs" / f"{trial.folder.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        began = time.monotonic()
        with log.open("ab") as file:
            # In a session of its own, so that Ctrl-C reaches it once: `stop` passes it on.
            process = subprocess.Popen(
                [*OT, *arguments], stdout=file, stderr=file, env=environment, start_new_session=True
            )
            self._running.add(process)
            code = process.wait()
            self._running.discard(process)
        if code in (0, STOPPED):
            said = f"{done} in {time.monotonic() - began:.0f} s" if code == 0 else "stopped; the same command goes on"
        else:
            said = f"not {done}: exit code {code}, see {log}"
            self.failures.append(f"{trial.folder.name} {said}")
        self._say(f"{trial.folder.name} {said}")

    def _say(self, line: str) -> None:
        print(f"{time.monotonic() - self._began:6.0f} s  {line}", flush=True)


def _position(example: Path, component: str) -> int:
    callbacks = resolve_config(example).plain("callbacks")
    return next(index for index, callback in enumerate(callbacks) if callback["_type_"] == component)


def main() -> None:
    given = parse_arguments()
    campaign = Campaign(given)
    settle(campaign)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, campaign.stop)
    campaign.carry_out()
    if curves := campaign.curves():
        report(campaign, curves)
    if campaign.failures:
        raise SystemExit("\n".join(campaign.failures))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--algorithms", nargs="+", default=["bc", "flow_matching", "diffusion"], help="examples/pusht/*"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=16_000, help="optimizer steps of every run")
    parser.add_argument("--checkpoints", type=int, default=4, help="how many of them play, at equal distances")
    parser.add_argument("--episodes", type=int, default=100, help="that each of them plays, from seeds 0, 1, ...")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes side by side, of one thread each")
    parser.add_argument("--out", type=Path, default=Path("runs/pusht"))
    parser.add_argument("overrides", nargs="*", metavar="OVERRIDE")
    given = parser.parse_args()
    if given.steps % given.checkpoints:
        parser.error(f"{given.checkpoints} checkpoints do not divide {given.steps} steps")
    if absent := [name for name in given.algorithms if not (EXAMPLES / f"{name}.yaml").is_file()]:
        parser.error(f"{EXAMPLES} has no {absent[0]}.yaml")
    return given


def settle(campaign: Campaign) -> None:
    """Write the settings of a new campaign down; leave where the folder holds one with others."""
    file = campaign.out / "campaign.json"
    if not file.is_file():
        campaign.out.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(campaign.settings, indent=1) + "\n")
        return
    before = json.loads(file.read_text())
    other = [
        f"{name} {before[name]}, not {value}" for name, value in campaign.settings.items() if before[name] != value
    ]
    if other:
        raise SystemExit(f"{campaign.out} holds a campaign with {'; '.join(other)}: choose another --out")


def report(campaign: Campaign, curves: dict[str, dict[int, dict[str, Any]]]) -> None:
    """Write the numbers, the table and the plot, and print the table."""
    setting = {**campaign.settings, "python": platform.python_version(), "torch": version("torch")}
    runs = [
        {"algorithm": trial.algorithm, "seed": trial.seed, "step": step, "episodes": trial.episodes(step)}
        for trial in campaign.trials
        for step in campaign.steps
    ]
    (campaign.out / "scores.json").write_text(
        json.dumps({"setting": setting, "curves": curves, "runs": runs}, indent=1)
    )
    table = as_table(curves)
    (campaign.out / "table.md").write_text(f"{table}\n")
    steps, episodes = campaign.settings["steps"], campaign.settings["episodes"]
    seeds = len({trial.seed for trial in campaign.trials})
    draw(curves, f"Push-T: {steps:,} steps, {seeds} seeds, {episodes} rollouts each", campaign.out / "scores.png")
    print(f"\n{table}\n\n{campaign.out / 'scores.json'}, table.md, scores.png")


if __name__ == "__main__":
    main()
