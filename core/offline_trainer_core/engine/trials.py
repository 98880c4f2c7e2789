"""What the weights of a step are worth: validation, and evaluation of the policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn

from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.hooks import Hooks
from offline_trainer_core.engine.logs import to_floats
from offline_trainer_core.engine.precision import Precision
from offline_trainer_core.engine.seeding import Generators
from offline_trainer_core.engine.stopping import GivenUp, Stops
from offline_trainer_core.engine.validation import eval_mode, validation_means
from offline_trainer_core.signature.parts import call_with_parts

__all__ = ["Trials"]


class Trials:
    """Makes the trials that a trainer asks for, and gives one up where the run is to stop."""

    def __init__(
        self,
        context: RunContext,
        *,
        loader: Any,
        evaluations: Mapping[str, Any],
        replicas: Iterable[nn.Module],
        strategy: Any,
        precision: Precision,
        generators: Generators,
        stops: Stops,
        hooks: Hooks,
    ) -> None:
        """`loader` has the batches of validation, or is None; `replicas` are what the strategy wrapped."""
        self._context, self._hooks, self._stops = context, hooks, stops
        self._loader, self._evaluations = loader, evaluations
        self._precision, self._generators = precision, generators
        self._replicas = list(replicas)
        self._synchronise = getattr(strategy, "synchronise", None)

    def validate(self) -> dict[str, float] | None:
        """Return means over all validation samples, {} where there is no validation, None where it was given up."""
        context, loader = self._context, self._loader
        if loader is None or not hasattr(context.algorithm, "validate"):
            return {}
        with self._trial() as hooks:
            hooks.fire("on_validation_start", context=context)
            means = validation_means(context, loader, self._precision, self._stops.in_validation(loader))
            if means is not None:
                context.last_val_logs = means
                context.log(means, stage="val")
                hooks.fire("on_validation_end", context=context, logs=means)
        return means

    def evaluate(self) -> dict[str, float] | None:
        """Return the scores of all evaluations, or None where they were given up; the main process makes them."""
        context = self._context
        if not self._evaluations:
            return {}
        with self._trial() as hooks:
            hooks.fire("on_evaluation_start", context=context)
            mine = self._score() if context.run.is_main else None
            scores, reason = context.collectives.broadcast_object((mine, context.stop_reason))
            if scores is None:
                self._stops.interrupt(reason)
            else:
                context.last_eval_results = scores
                context.log(scores, stage="eval")
                hooks.fire("on_evaluation_end", context=context, results=scores)
        return scores  # type: ignore[no-any-return]

    @contextmanager
    def _trial(self) -> Iterator[Hooks]:
        """Put all models in eval mode. What is given up leaves the run as if it had not begun: it is begun again."""
        if self._synchronise is not None:
            self._synchronise(self._replicas)
        before = self._generators.state_dict()
        with eval_mode(self._context):
            yield self._hooks
            if self._stops.interrupted:
                self._hooks.fire("on_interrupt", context=self._context)
                self._generators.load_state_dict(before)

    def _score(self) -> dict[str, float] | None:
        """Return the scores, with the evaluations' names where there are several; None where the run is to stop."""
        context, several = self._context, len(self._evaluations) > 1
        parts = {"run": context.run, "step": context.state.global_step, "datamodule": context.datamodule}
        scores: dict[str, float] = {}
        try:
            for name, evaluation in self._evaluations.items():
                self._stops.in_evaluation()
                policy = context.policy(self._stops.in_evaluation)
                results = to_floats(call_with_parts(partial(evaluation.evaluate, policy), parts, "an evaluation"))
                scores.update({f"{name}/{key}" if several else key: value for key, value in results.items()})
        except GivenUp:
            return None
        return scores
