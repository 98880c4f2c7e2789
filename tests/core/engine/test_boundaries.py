"""A checkpoint describes a boundary, whenever it is asked for."""

from __future__ import annotations

import pytest
import torch

from offline_trainer_core.engine import LoopSettings, Session


class Asks:
    """Asks for a checkpoint in one hook of step 4, and counts what it hears of after that."""

    def __init__(self, hook, times=1):
        self.saved, self.heard, self.folders = [], 0, []

        def ask(context):
            if context.state.global_step == 4 and not self.folders:
                self.folders = [context.save_checkpoint() for _ in range(times)]

        setattr(self, hook, ask)

    def state_dict(self):
        return {"heard": self.heard}

    def load_state_dict(self, state):
        self.heard = state["heard"]


def asking(hook, **options):
    """Return a callback whose class has `hook`, as hooks are looked up."""
    asks = Asks(hook, **options)
    kind = type("Asking", (Asks,), {hook: lambda self, context: vars(self)[hook](context)})
    asks.__class__ = kind
    return asks


class Counts:
    """Is listed last, and has a state."""

    steps = 0

    def on_train_step_end(self):
        self.steps += 1

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.steps = state["steps"]


HOOKS = ["post_optim", "post_steps", "on_validation_start", "on_validation_end", "on_train_step_end"]


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("order", ["before", "after"])
def test_what_is_asked_for_in_a_step_is_saved_when_everyone_has_heard_of_it(make_parts, small, hook, order):
    asks, counts = asking(hook), Counts()
    callbacks = {"asks": asks, "counts": counts} if order == "before" else {"counts": counts, "asks": asks}
    parts = make_parts(callbacks=callbacks, datamodule=small.Data(val=small.Batches(count=2)))
    with Session(parts, LoopSettings(max_steps=6)) as session:
        for batch, last in session.batches():
            session.train_on(batch, last)
            session.validate()
            session.end_step()
            if session.done:
                break
    store = parts["run"].checkpoints
    found = store.load(asks.folders[0])
    assert found.path.name == f"step_{found.manifest.counters['global_step']:08d}"
    assert found.state["callbacks.counts"]["steps"] == found.manifest.counters["global_step"]
    assert found.state["progress"]["open"] is False


def test_to_ask_twice_for_a_checkpoint_is_to_ask_once(make_parts, small, train):
    saved = []

    class Notes:
        def on_checkpoint_saved(self, path):
            saved.append(path.name)

    parts = make_parts(callbacks={"asks": asking("on_train_step_end", times=3), "notes": Notes()})
    train(parts, max_steps=6)
    assert saved == ["step_00000004"]


def test_where_there_is_no_further_step_it_is_saved_at_once(make_parts, train):
    class AtTheEnd:
        def on_fit_end(self, context):
            self.there = (context.save_checkpoint("end") / "manifest.json").exists()

    end = AtTheEnd()
    train(make_parts(callbacks={"end": end}), max_steps=3)
    assert end.there


def test_a_checkpoint_that_a_validation_asks_for_at_the_end_of_an_epoch_has_the_epoch_counted(make_parts, small):
    class Asking:
        def on_validation_end(self, context):
            context.save_checkpoint("validated")

    parts = make_parts(callbacks={"asks": Asking()}, datamodule=small.Data(val=small.Batches(count=1)))
    with Session(parts, LoopSettings(max_epochs=1)) as session:
        for batch, last in session.batches():
            session.train_on(batch, last)
            session.end_step()
        session.validate()
        assert parts["run"].checkpoints.names() == []
        session.end_epoch()
        assert parts["run"].checkpoints.load("validated").manifest.counters["epoch"] == 1


class Noisy:
    """A listener that draws random numbers when it hears of the beginning."""

    def on_fit_start(self):
        torch.rand(3)

    def on_epoch_start(self):
        torch.rand(5)


def test_what_listeners_draw_when_a_run_goes_on_does_not_change_what_follows(make_parts, small, train):
    def go(**changes):
        parts = make_parts(
            models={"model": small.network(dropout=0.5)},
            callbacks={"noisy": Noisy(), **changes.pop("more", {})},
            **changes,
        )
        train(parts, max_steps=10)
        return torch.nn.utils.parameters_to_vector(parts["model"].parameters())

    whole = go()

    class Stop:
        def on_train_step_end(self, context):
            if context.state.global_step == 5:
                context.save_checkpoint()
                context.stop("enough", resumable=True)

    go(more={"stop": Stop()})
    assert torch.equal(go(resume_from="auto"), whole)
