"""A resumed run says how exact it is, and why it is not more."""

from __future__ import annotations

import logging

import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, RandomSampler, Sampler, TensorDataset

from offline_trainer_core.engine import LoopSettings, Session
from offline_trainer_core.engine.epochs import why_not_repeatable
from offline_trainer_core.types import Exactness

ROWS = TensorDataset(torch.arange(12.0))


class Hears:
    exactness = None

    def on_resume(self, context, exactness):
        assert context.exactness is exactness
        self.exactness = exactness


class Stops:
    def __init__(self, step):
        self.step = step

    def on_train_step_end(self, context):
        if context.state.global_step == self.step:
            context.save_checkpoint()
            context.stop("enough", resumable=True)


class Listens:
    """A logger that notes the verdict with which it is opened."""

    exactness = None

    def open(self, run, resume_step):
        self.exactness = run.exactness


@pytest.fixture
def verdict(make_parts, train):
    """Return a function that stops a run at a step, goes on with other parts, and returns what it said."""

    def go(first, then=None, stop_at=5):
        callbacks = {"stop": Stops(stop_at), **first.get("callbacks", {})}
        train(make_parts(**{**first, "callbacks": callbacks}), max_steps=20)
        then = {**first, **(then or {})}
        hears = Hears()
        parts = make_parts(**{**then, "callbacks": {"hears": hears, **then.get("callbacks", {})}}, resume_from="auto")
        train(parts, max_steps=20)
        return hears.exactness, parts["run"].checkpoints

    return go


class Counting:
    """A metric of training without a state."""

    stages = ("train",)

    def update(self, *, outputs, targets, batch, stage):
        pass

    def compute(self):
        return {"count": 0.0}

    def reset(self):
        pass


class Stateful:
    def state_dict(self):
        return {"value": 1}

    def load_state_dict(self, state):
        pass


class Plain:
    """A loader without `set_epoch` that is no `DataLoader`."""

    def __init__(self, batches):
        self.batches = list(batches)
        self.x = batches.x

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return iter(self.batches)


def test_a_run_that_begins_has_no_verdict_and_fires_no_hook(make_parts, train):
    hears = Hears()
    session = train(make_parts(callbacks={"hears": hears}), max_steps=2)
    assert (session.context.exactness, hears.exactness) == (None, None)


def test_nothing_stands_in_the_way_of_an_exact_resume(verdict, caplog):
    with caplog.at_level(logging.INFO):
        assert verdict({})[0] == Exactness()
    assert "resume: exact" in [r.getMessage() for r in caplog.records if r.name == "offline_trainer_core"]


def test_a_loader_whose_order_nobody_knows_leaves_the_weights_alone_and_says_what_it_costs(verdict, small, caplog):
    found, _ = verdict({"datamodule": small.Data(train=Plain(small.Batches()))})
    assert str(found) == "weights-only (Plain has no set_epoch, so nothing is known of its order)"
    assert "reading again through 5 batches" in caplog.text
    assert "read through 5 batches in 0.0 s" in caplog.text


def test_a_metric_of_training_without_a_state_is_named_where_it_has_counted_something(verdict):
    metrics = {"metrics": {"mine": Counting()}}
    assert "metric mine has no state_dict" in str(verdict(metrics, stop_at=5)[0])
    assert verdict(metrics, stop_at=12)[0] != Exactness(), "the end of the epoch is still to come"


@pytest.mark.parametrize(("first", "then", "reason"), [
    ({}, {"callbacks": {"mine": Stateful()}}, "callbacks.mine is new"),
    ({"callbacks": {"mine": Stateful()}}, {"callbacks": {}}, "callbacks.mine is gone"),
    ({"plugins": {"mine": Stateful()}}, {"plugins": {}}, "plugins.mine is gone"),
    ({}, {"metrics": {"mine": Stateful()}}, "metrics.mine is new"),
])  # fmt: skip
def test_what_came_and_went_is_named(verdict, first, then, reason):
    if "metrics" in then:
        then = {"metrics": {"mine": type("Both", (Stateful, Counting), {"stages": ("val",)})()}}
    assert str(verdict(first, then)[0]) == f"order-only ({reason})"


def test_the_state_of_a_part_that_cannot_be_left_out_is_insisted_on(verdict, small):
    from offline_trainer_core import CheckpointError

    class Remembers(small.Fit):
        state_dict = Stateful.state_dict
        load_state_dict = Stateful.load_state_dict

    with pytest.raises(CheckpointError, match="has no state of algorithm"):
        verdict({}, {"algorithm": Remembers()})
    with pytest.raises(CheckpointError, match="has the state of, which this run has not, algorithm"):
        verdict({"algorithm": Remembers()}, {"algorithm": small.Fit()})


def test_what_is_saved_after_the_end_of_a_shorter_run_has_seen_what_a_longer_one_does_not_do(make_parts, small):
    class SavesAfterwards:
        def on_fit_start(self, context):
            context.save_at_end = False

        def on_fit_end(self, context):
            context.save_checkpoint("afterwards")

    def go(steps, **changes):
        with Session(make_parts(**changes), LoopSettings(max_steps=steps)) as session:
            session.finish()
        return session.context.exactness

    go(0, callbacks={"save": SavesAfterwards()})
    assert str(go(0, resume_from="afterwards")) == "exact"
    assert str(go(5, resume_from="afterwards")) == "order-only (it was saved after a run that was shorter)"


def test_every_checkpoint_tells_of_the_resumes_before_it(verdict, make_parts, train):
    _, store = verdict({}, stop_at=5)
    train(make_parts(resume_from="step_00000005"), max_steps=5)
    session = train(make_parts(resume_from="step_00000005", callbacks={"stop": Stops(9)}), max_steps=20)
    assert session.interrupted
    train(make_parts(resume_from="step_00000009", callbacks={"stop": Stops(11)}), max_steps=20)
    steps = {name: [entry["step"] for entry in store.load(name).manifest.resumes] for name in store.names()}
    assert steps == {"step_00000005": [], "step_00000009": [5], "step_00000011": [5, 9]}
    assert store.load("step_00000009").manifest.resumes == [{"step": 5, "level": "exact", "reasons": []}]


class Own(Sampler):
    def __iter__(self):
        return iter(range(12))

    def __len__(self):
        return 12


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(12))


@pytest.mark.parametrize(("loader", "reason"), [
    (lambda: DataLoader(ROWS, 4), None),
    (lambda: DataLoader(ROWS, 4, shuffle=True), None),
    (lambda: DataLoader(ROWS, batch_sampler=BatchSampler(RandomSampler(ROWS), 4, drop_last=False)), None),
    (lambda: DataLoader(ROWS, 4, sampler=Own()), "has the sampler Own"),
    (lambda: DataLoader(ROWS, batch_sampler=BatchSampler(Own(), 4, drop_last=False)), "has the sampler Own"),
    (lambda: DataLoader(Stream(), 4), "reads an IterableDataset"),
    (lambda: DataLoader(ROWS, 4, num_workers=1, persistent_workers=True), "workers that outlive an epoch"),
    (lambda: [1, 2, 3], "list has no set_epoch"),
])  # fmt: skip
def test_which_loaders_repeat_themselves(loader, reason):
    found = why_not_repeatable(loader())
    assert found is None if reason is None else reason in found


@pytest.mark.parametrize("loader", ["exact", "weights-only"])
def test_loggers_are_opened_with_what_the_session_has_found_out(verdict, small, loader):
    batches = small.Batches() if loader == "exact" else Plain(small.Batches())
    first, listens = {"datamodule": small.Data(train=batches)}, Listens()
    said, _ = verdict({**first, "loggers": {"listens": Listens()}}, {"loggers": {"listens": listens}})
    assert listens.exactness == said
    assert said.level == loader


def test_loggers_of_a_new_run_hear_of_no_resume(make_parts, train):
    listens = Listens()
    train(make_parts(loggers={"listens": listens}), max_steps=1)
    assert listens.exactness is None


def test_the_scale_of_half_precision_losses_goes_on_where_it_was(make_parts, small, monkeypatch):
    from offline_trainer_core.engine import saving

    class Loud(small.Fit):
        def score(self, batch, stage):
            loss, outputs, targets = super().score(batch, stage)
            return loss * 100, outputs, targets

    def go(**changes):
        parts = make_parts(algorithm=Loud(), precision="fp16-mixed", **changes)
        with Session(parts, LoopSettings(max_steps=12, on_nonfinite="ignore")) as session:
            for batch, last in session.batches():
                session.train_on(batch, last)
                session.end_step()
                if session.should_stop():
                    break
        return torch.nn.utils.parameters_to_vector(parts["model"].parameters())

    whole = go()
    go(callbacks={"stop": Stops(8)})
    assert torch.equal(go(resume_from="step_00000008"), whole)
    restore = saving.restore
    monkeypatch.setattr(
        saving, "restore", lambda parts, state, source: restore(
            parts, {**state, "precision": parts["precision"].state_dict()}, source
        )
    )  # fmt: skip
    assert not torch.equal(go(resume_from="step_00000008"), whole)
