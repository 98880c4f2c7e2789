"""`cb.early_stopping`: a run that no longer improves ends, and no other."""

from __future__ import annotations

import pytest
import torch  # noqa: F401 - runs train

from offline_trainer_core import ComponentError
from ot_builtins.callbacks.early_stopping import EarlyStopping


def test_a_run_that_never_improves_ends_after_patience_validations(fit):
    run = fit({"stop": EarlyStopping(monitor="loss", patience=2, min_delta=1e9)}, max_epochs=9)
    assert run.result.state.epoch == 3  # the first value is infinitely better than none
    assert "'loss' has not improved" in run.result.reason
    assert run.result.status == "finished"


def test_a_run_that_improves_goes_on(fit):
    assert fit({"stop": EarlyStopping(patience=1)}, max_epochs=3).result.state.epoch == 3


def test_max_stops_where_min_goes_on(fit):
    assert fit({"stop": EarlyStopping(patience=1, mode="max")}, max_epochs=3).result.state.epoch == 2


def test_a_metric_that_validation_does_not_give_is_an_error_that_lists_what_it_gives(fit):
    with pytest.raises(ComponentError, match=r"'accuracy' is not among what validation gives: loss"):
        fit({"stop": EarlyStopping(monitor="accuracy")})


def test_nan_is_no_improvement():
    class Context:
        reason = None

        def stop(self, reason):
            self.reason = reason

    context, callback = Context(), EarlyStopping(patience=2)
    for value in (1.0, float("nan"), float("nan")):
        assert context.reason is None
        callback.on_validation_end(context, {"loss": value})
    assert context.reason


def test_scores_of_evaluations_can_be_watched(fit):
    class Worse:
        score = 0.0

        def evaluate(self, policy, *, run, step):
            self.score -= 1.0
            return {"success_rate": self.score}

    callbacks = {"stop": EarlyStopping(monitor="eval/success_rate", patience=2, mode="max")}
    run = fit(callbacks, max_epochs=9, eval_every_n_epochs=1, evaluations={"env": Worse()})
    assert run.result.state.epoch == 3


def test_patience_goes_on_counting_after_a_resume():
    before = EarlyStopping(patience=3)
    before._waited, before._monitor.best = 2, 0.5
    after = EarlyStopping(patience=3)
    after.load_state_dict(before.state_dict())
    assert after.state_dict() == before.state_dict() == {"best": 0.5, "waited": 2}
