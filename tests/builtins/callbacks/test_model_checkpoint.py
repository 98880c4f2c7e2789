"""`cb.model_checkpoint`: saves when due, keeps what it should, and knows the best."""

from __future__ import annotations

import pytest
import torch

from offline_trainer_core import ComponentError
from offline_trainer_core.record import CheckpointStore
from ot_builtins.callbacks.model_checkpoint import ModelCheckpoint


def steps(store):
    return [int(name.removeprefix("step_")) for name in store.names()]


class Scores:
    """An evaluation whose scores are given."""

    def __init__(self, *scores):
        self.scores = iter(scores)

    def evaluate(self, policy, *, run, step):
        return {"success_rate": next(self.scores)}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [24]),
        ({"every_n_steps": 10}, [10, 20, 24]),
        ({"every_n_epochs": 2}, [16, 24]),
        ({"every_n_steps": 8, "keep_last": 2}, [16, 24]),
        ({"every_n_steps": 5, "keep_last": 1, "async_save": True}, [24]),
        ({"every_n_steps": 5, "async_save": True}, [5, 10, 15, 20, 24]),
    ],
)
def test_what_is_there_in_the_end(fit, options, expected):
    assert steps(fit({"save": ModelCheckpoint(**options)}).store) == expected


@pytest.mark.parametrize("async_save", [False, True])
def test_the_best_score_is_marked_and_survives_pruning(fit, async_save):
    save = ModelCheckpoint(monitor="eval/success_rate", mode="max", keep_last=1, async_save=async_save)
    scores = Scores(0.1, 0.7, 0.3, 0.6)
    run = fit({"save": save}, max_epochs=4, eval_every_n_epochs=1, evaluations={"env": scores})
    assert run.store.best() == "step_00000016"
    assert steps(run.store) == [16, 32]


def test_min_marks_another_one_than_max(fit):
    save = ModelCheckpoint(monitor="eval/success_rate", mode="min")
    run = fit({"save": save}, max_epochs=4, eval_every_n_epochs=1, evaluations={"env": Scores(0.4, 0.7, 0.3, 0.6)})
    assert run.store.best() == "step_00000024"


def test_the_best_is_judged_against_what_was_seen_before_a_resume(fit):
    def go(*scores, **changes):
        save = ModelCheckpoint(monitor="eval/success_rate", mode="max", every_n_epochs=1)
        return fit({"save": save}, eval_every_n_epochs=1, evaluations={"env": Scores(*scores)}, **changes)

    go(0.5, 0.9, max_epochs=2)
    run = go(0.7, max_epochs=3, resume_from="auto")
    assert run.store.best() == "step_00000016"


def test_a_checkpoint_of_a_validation_resumes_without_validating_again(fit, tmp_path):
    save = ModelCheckpoint(monitor="loss")
    fit({"save": save}, folder=tmp_path / "a", max_epochs=2)
    resumed = fit({}, folder=tmp_path / "a", max_epochs=3, resume_from="step_00000008")
    whole = fit({}, folder=tmp_path / "b", max_epochs=3)
    assert resumed.rows == [row for row in whole.rows if row[0] > 8]
    assert all(torch.equal(a, b) for a, b in zip(resumed.model.parameters(), whole.model.parameters(), strict=True))


def test_a_checkpoint_has_what_every_callback_made_of_its_step_wherever_they_are_listed(fit):
    class CountSteps:
        seen = 0

        def on_train_step_end(self):
            self.seen += 1

        def state_dict(self):
            return {"seen": self.seen}

        def load_state_dict(self, state):
            self.seen = state["seen"]

    run = fit({"save": ModelCheckpoint(every_n_steps=5), "count": CountSteps()}, max_epochs=1)
    assert run.store.load("step_00000005").state["callbacks.count"] == {"seen": 5}


@pytest.mark.parametrize("save_last", [True, False])
def test_the_end_is_saved_where_it_is_wanted(fit, save_last):
    run = fit({"save": ModelCheckpoint(every_n_steps=5, save_last=save_last)}, max_epochs=1)
    assert steps(run.store) == ([5, 8] if save_last else [5])


def test_nothing_is_saved_twice_at_the_end(fit):
    saved = []

    class Count:
        def on_checkpoint_saved(self, path):
            saved.append(path.name)

    fit({"save": ModelCheckpoint(every_n_epochs=1), "count": Count()}, max_epochs=2)
    assert saved == ["step_00000008", "step_00000016"]


def test_save_dir_gets_a_copy_of_what_the_run_folder_keeps(fit, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    run = fit({"save": ModelCheckpoint(save_dir=str(elsewhere), every_n_steps=6, keep_last=2)})
    copies = CheckpointStore(elsewhere)
    assert copies.names() == run.store.names()
    theirs, ours = copies.load("step_00000024").state, run.store.load("step_00000024").state
    assert torch.equal(theirs["models.policy"]["0.weight"], ours["models.policy"]["0.weight"])


def test_save_dir_cannot_climb_out_of_the_run_folder(fit):
    with pytest.raises(ComponentError, match="leads out of the run folder"):
        fit({"save": ModelCheckpoint(save_dir="../../elsewhere")})


def test_a_relative_save_dir_is_the_run_folders_own_store_when_it_says_so(fit):
    assert steps(fit({"save": ModelCheckpoint(save_dir="checkpoints", every_n_steps=10)}).store) == [10, 20, 24]


@pytest.mark.parametrize("name", ["every_n_steps", "every_n_epochs", "keep_last"])
def test_a_count_of_zero_is_refused(name):
    with pytest.raises(ComponentError, match=f"{name} is at least 1"):
        ModelCheckpoint(**{name: 0})
