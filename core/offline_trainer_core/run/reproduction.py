"""Runs a recorded run again, and says whether the result is the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from offline_trainer_core.plan import CheckReport
from offline_trainer_core.run.chain import run
from offline_trainer_core.run.outcome import Outcome, compare_outcomes
from offline_trainer_core.run.recipe import Recipe
from offline_trainer_core.types import RunInfo

__all__ = ["repeat", "reproduce"]

Announce = Callable[[RunInfo, CheckReport], None]


def reproduce(
    run_dir: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    *,
    name: str | None = None,
    allow_drift: bool = False,
    announce: Announce | None = None,
) -> Outcome:
    """Run a recorded run again, in this process, and compare the results: the Python twin of `ot reproduce`.

    The same configuration, plan and seed, from the first step to that of the newest checkpoint, beside the original.

    Args:
        run_dir: The folder of the run.
        overrides: `key=value`, `+key=value` and `~key`, as on the command line: what is to differ.
        name: Of the new run; `<name>-reproduced`, or the next that is free, without it.
        allow_drift: Whether other code than that of the original may run; it is refused otherwise.
        announce: Called on the main process when the new run folder is open, before anything is built.
    """
    recipe = Recipe.of(Path(run_dir), overrides, name)
    repeat(recipe, allow_drift=allow_drift, announce=announce)
    return compare_outcomes(recipe.original, recipe.dir, recipe.step)


def repeat(recipe: Recipe, *, allow_drift: bool = False, announce: Announce | None = None) -> None:
    """Train as `recipe` says, in this process or, where it is one of several, together with them."""
    lock = None if allow_drift else recipe.lock
    run(recipe.config, recipe.overrides, locked=lock, until=recipe.until, announce=announce)
