"""How far a policy's actions are from recorded ones, on held-out data: nothing is executed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from offline_trainer_core import Policy
from offline_trainer_core.errors import ComponentError, DataError
from offline_trainer_core.types import NonNegativeInt, PositiveInt, RunInfo
from ot_builtins.destinations import destination
from ot_builtins.evals.action_errors import ActionErrors
from ot_builtins.evals.open_loop_plot import draw_errors
from ot_builtins.evals.recorded import LastActions, Recorded, chunks_of, read_recorded
from ot_builtins.evals.rollout import seeded

__all__ = ["OpenLoop"]


class OpenLoop:
    """Compares a policy's actions with those recorded in the validation windows of the run's own data.

    Every step of a predicted chunk counts that is no padding. Two predictions that look at nothing are judged on the
    same windows: `mean` is the mean action of the training episodes, `hold` goes on with the last action before the
    chunk. An episode's first window has none, and is left out for all three. Errors of actions say nothing of the
    states that they would lead to (Ross et al. 2011): a policy that is worse than `hold` has learned little, one that
    is better may still fail.

    Scores: `action_error`, the mean absolute error in the units of the data, `mean/action_error`, `hold/action_error`.
    `<dir>/<step>/open_loop.json` has the mean absolute error and the root mean square error of every dimension, and the
    error of every step of the chunk; `open_loop.png` draws them. On several processes the first one judges its share of
    every batch; `ot eval` judges all.

    Args:
        action_field: Batch field of the actions: `(B, A)`, or `(B, T, A)` with `<field>_is_pad`.
        action_horizon: How many steps of a chunk count; null for all.
        seed: Of the noise of a policy that samples.
        plot: Whether to draw.
        dir: Where to write.

    Raises:
        ComponentError: There is no validation data, or the policy's actions do not fit it.
        DataError: A batch lacks actions, or the data does not say which window follows which.
    """

    def __init__(
        self,
        action_field: str = "action",
        action_horizon: PositiveInt | None = None,
        seed: NonNegativeInt = 0,
        plot: bool = True,
        dir: str = "evaluations",  # noqa: A002 - the argument's name in the configuration
    ) -> None:
        self.action_field, self.action_horizon = action_field, action_horizon
        self.seed, self.plot, self.dir = seed, plot, dir

    def evaluate(self, policy: Policy, *, run: RunInfo, step: int, datamodule: Any) -> Mapping[str, float]:
        """Compare all validation windows; return the scores and write what is to be looked at."""
        with seeded(self.seed, torch.device(run.device)):
            if hasattr(policy, "reset"):
                policy.reset(self.seed)
            errors, windows = self._compare(policy, datamodule)
        report = {
            "step": step,
            **windows,
            "dimensions": self._dimensions(datamodule, len(errors["policy"].of_dimensions())),
            "errors": {who: error.report() for who, error in errors.items()},
        }
        self._write(destination(run, self.dir) / str(step), f"{run.name} at step {step}", report)
        return {
            "action_error" if who == "policy" else f"{who}/action_error": error.mean() for who, error in errors.items()
        }

    def _compare(self, policy: Policy, datamodule: Any) -> tuple[dict[str, ActionErrors], dict[str, int]]:
        """Return the errors of the policy and of what it is compared with, and how many windows they are of."""
        mean = self._mean_action(datamodule)
        errors = {who: ActionErrors() for who in ("policy", "mean", "hold")}
        judged = left_out = 0
        for recorded, last, known in self._windows(datamodule):
            predicted = chunks_of(policy.act(recorded.observation), recorded, self.action_horizon)
            steps = predicted.shape[1]
            expected = recorded.actions[known, :steps]
            counts = ~recorded.padding[known, :steps]
            guesses = {"policy": predicted[known], "mean": mean.expand_as(expected), "hold": last.expand_as(expected)}
            for who, guess in guesses.items():
                errors[who].add(guess - expected, counts)
            judged, left_out = judged + int(known.sum()), left_out + int((~known).sum())
        if not judged:
            raise DataError("eval.open_loop: no validation window has one before it in its episode")
        return errors, {"windows": judged, "left_out": left_out}

    def _windows(self, datamodule: Any) -> Iterator[tuple[Recorded, Tensor, Tensor]]:
        """Yield what was recorded, batch by batch, the action before each chunk, and for which windows it is known."""
        loader = datamodule.val_dataloader()
        if loader is None:
            raise ComponentError("eval.open_loop needs validation data, and the data module holds none out")
        if not hasattr(loader, "samples"):
            raise DataError("eval.open_loop: the data does not say of which episode and step its windows are")
        if hasattr(loader, "set_epoch"):
            loader.set_epoch(0)
        last_actions = LastActions()
        for number, batch in enumerate(loader):
            recorded = read_recorded(batch, self.action_field)
            yield recorded, *last_actions.before(loader.samples(0, number), recorded.actions[:, 0])

    def _mean_action(self, datamodule: Any) -> Tensor:
        statistics = getattr(datamodule, "stats", None) or {}
        if self.action_field not in statistics:
            raise DataError(f"eval.open_loop: the data module has no statistics of '{self.action_field}'")
        mean: Tensor = statistics[self.action_field]["mean"].cpu().double().flatten()
        return mean

    def _dimensions(self, datamodule: Any, count: int) -> list[str]:
        names = getattr(datamodule, "names", {}).get(self.action_field, ())
        return list(names) if len(names) == count else [str(index) for index in range(count)]

    def _write(self, folder: Path, title: str, report: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "open_loop.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        if self.plot:
            draw_errors(folder / "open_loop.png", title, report)
