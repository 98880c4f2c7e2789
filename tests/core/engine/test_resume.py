"""A run that stops and goes on ends where the run that never stopped ends, to the bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offline_trainer_core import CheckpointError, SchedulerBundle
from offline_trainer_core.engine import LoopSettings, Session


class Decay:
    def build(self, optimizer, *, registry):
        return SchedulerBundle(torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5), "step")


class Average:
    """A callback with state."""

    def on_fit_start(self, context):
        self.value = getattr(self, "value", None) or [p.detach().clone() for p in context.model.parameters()]

    def post_optim(self, context):
        torch._foreach_lerp_(self.value, [p.detach() for p in context.model.parameters()], 0.1)

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = list(state["value"])


class StopAt:
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_step_end(self, context):
        if context.state.global_step == self.step:
            context.save_checkpoint()
            context.stop("enough", resumable=True)


@pytest.fixture
def run(make_parts, small, train):
    """Return a function that trains with dropout, momentum, a schedule and an average; it returns what came out."""

    def go(*, stop_at=None, resume_from=None, **changes):
        callbacks = {"average": Average(), **({"stop": StopAt(stop_at)} if stop_at else {})}
        model = small.network(dropout=0.3)
        log = small.Recorder()
        parts = make_parts(
            models={"model": model}, callbacks=callbacks, scheduler_factory=Decay(), loggers={"log": log},
            resume_from=resume_from, normalize={"x": "mean_std"}, **changes,
        )  # fmt: skip
        train(parts, max_epochs=3, grad_clip_norm=1.0)
        weights = [p.detach().clone() for p in model.parameters()] + callbacks["average"].value
        return weights, log.rows

    return go


def equal(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("stop_at", [1, 7, 12, 18, 35])
def test_resuming_at_any_step_ends_with_the_same_weights_and_logs(run, stop_at):
    weights, rows = run()
    _, before = run(stop_at=stop_at)
    resumed, after = run(resume_from="auto")
    assert equal(resumed, weights)
    assert [row for row in before if row[0] <= stop_at] + after == rows


def test_several_resumes_in_one_epoch(run):
    weights, _ = run()
    run(stop_at=3)
    run(stop_at=5, resume_from="auto")
    run(stop_at=9, resume_from="auto")
    assert equal(run(resume_from="auto")[0], weights)


def test_a_checkpoint_of_another_model_is_refused_by_name(run, make_parts, train, tmp_path):
    run(stop_at=3)
    parts = make_parts(models={"actor": nn.Linear(3, 2)}, resume_from="auto")
    with pytest.raises(CheckpointError, match=r"models\.actor"):
        train(parts, max_epochs=1)


def test_a_callback_that_was_removed_is_reported_and_the_run_goes_on(run, make_parts, small, train, caplog):
    run(stop_at=3)
    parts = make_parts(
        models={"model": small.network(0.3)}, scheduler_factory=Decay(), resume_from="auto", normalize={"x": "mean_std"}
    )
    session = train(parts, max_epochs=1)
    assert session.state.global_step == 12
    assert "callbacks.average" in caplog.text


def test_a_signal_stops_at_the_step_boundary_and_saves(make_parts, small, train):
    import os
    import signal

    class Press:
        def on_train_step_end(self, context):
            if context.state.global_step == 4:
                os.kill(os.getpid(), signal.SIGTERM)

    parts = make_parts(callbacks={"press": Press()})
    session = train(parts, max_epochs=3)
    result = session.result()
    assert (result.status, result.reason, session.state.global_step) == ("stopped", "SIGTERM", 4)
    assert parts["run"].checkpoints.latest() == "step_00000004"


def test_a_loader_that_cannot_begin_in_the_middle_is_read_up_to_where_the_run_was(make_parts, small, caplog):
    class Plain:
        """A loader without `set_epoch`."""

        def __init__(self):
            self.batches = list(small.Batches())
            self.x = small.Batches().x

        def __len__(self):
            return len(self.batches)

        def __iter__(self):
            return iter(self.batches)

    def train(stop=None, resume_from=None):
        parts = make_parts(datamodule=small.Data(train=Plain()), resume_from=resume_from)
        with Session(parts, LoopSettings(max_steps=stop or 12)) as session:
            for batch, last in session.batches():
                session.train_on(batch, last)
                session.end_step()
                if session.done:
                    break
            session.context.save_checkpoint()
        return parts["model"]

    whole = train()
    for path in [*parts_of_store(make_parts)]:
        make_parts()["run"].checkpoints.delete(path)
    train(stop=5)
    resumed = train(resume_from="auto")
    assert equal(list(resumed.parameters()), list(whole.parameters()))
    assert "reading again through 5 batches" in caplog.text


def parts_of_store(make_parts):
    return make_parts()["run"].checkpoints.names()
