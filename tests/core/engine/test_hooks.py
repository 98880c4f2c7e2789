"""Every hook is called in its place, and only listeners are called at all."""

from __future__ import annotations

import inspect

import pytest
import torch

from offline_trainer_core import ComponentError, hookimpl, hookspecs
from offline_trainer_core.engine.hooks import SPECS, Hooks
from offline_trainer_core.engine.session import Session


def recorder(*names: str) -> object:
    """Return a listener that writes down which of the named hooks are called."""
    calls: list[str] = []

    def method(name: str):
        def call(self, context):
            calls.append(name)

        return call

    return type("Listener", (), {"calls": calls, **{name: method(name) for name in names}})()


def fit(session: Session) -> None:
    with session:
        while not session.done:
            for batch, last in session.batches():
                if session.train_on(batch, last):
                    session.log_train()
                    session.validate()
                    session.end_step()
            session.evaluate()
            session.context.save_checkpoint()
            session.end_epoch()


@pytest.fixture
def everything(make_parts, small):
    """Return a function that runs one epoch of one batch, validation and evaluation, with one listener."""

    class Scores:
        def evaluate(self, policy, *, run, step):
            return {"score": 1.0}

    class Acting(small.Fit):
        def act(self, observation):
            return observation["x"]

    def run(listener: object) -> None:
        from offline_trainer_core.engine import LoopSettings

        data = small.Data(train=small.Batches(count=1), val=small.Batches(count=1))
        parts = make_parts(
            datamodule=data, callbacks={"listener": listener}, evaluations={"e": Scores()}, algorithm=Acting()
        )
        fit(Session(parts, LoopSettings(max_epochs=1)))

    return run


QUIET = ("on_exception", "on_interrupt", "on_resume", "optimizer")


@pytest.mark.parametrize("name", [name for name in SPECS if name not in QUIET])
def test_hook_is_called(everything, name):
    listener = recorder(name)
    everything(listener)
    assert listener.calls == [name] * (3 if name == "on_log" else 1)


def test_hooks_are_called_in_the_order_of_hookspecs(everything):
    listener = recorder(*SPECS)
    everything(listener)
    written = [name for name, value in vars(hookspecs).items() if inspect.isfunction(value) and name in SPECS]
    called = [*dict.fromkeys(listener.calls)]
    assert called == [name for name in written if name not in ("on_exception", "on_interrupt", "on_resume")]


def test_on_interrupt_is_called_in_place_of_the_end_of_a_validation(make_parts, small):
    from offline_trainer_core.engine import LoopSettings

    class AsksInBetween(recorder("on_interrupt", "on_validation_end").__class__):
        def on_validation_start(self, context):
            context.stop("enough", resumable=True)

    listener = AsksInBetween()
    parts = make_parts(callbacks={"listener": listener}, datamodule=small.Data(val=small.Batches(count=2)))
    with Session(parts, LoopSettings(max_steps=3)) as session:
        batch, last = next(session.batches())
        session.train_on(batch, last)
        assert session.validate() == {}
        assert session.interrupted
    assert listener.calls == ["on_interrupt"]


def test_on_exception_is_called_with_what_went_wrong(make_parts, small):
    seen = []

    class Listener:
        def on_exception(self, exception):
            seen.append(exception)

        def on_train_step_end(self):
            raise RuntimeError("a callback failed")

    from offline_trainer_core.engine import LoopSettings

    with pytest.raises(RuntimeError, match="a callback failed"):
        fit(Session(make_parts(callbacks={"listener": Listener()}), LoopSettings(max_epochs=1)))
    assert [str(error) for error in seen] == ["a callback failed"]


def test_optimizer_hook_can_take_over_the_step(make_parts, train):
    class Frozen:
        def optimizer(self, name, optimizer):
            return True

    parts = make_parts(callbacks={"frozen": Frozen()})
    before = [p.clone() for p in parts["model"].parameters()]
    session = train(parts, max_steps=3)
    assert session.state.global_step == 3
    assert all(torch.equal(a, b) for a, b in zip(before, parts["model"].parameters(), strict=True))


def test_optimizer_hook_that_returns_none_only_watches(make_parts, train):
    class Watcher:
        names: tuple[str, ...] = ()

        def optimizer(self, name):
            self.names += (name,)

    parts = make_parts(callbacks={"watcher": Watcher()})
    before = [p.clone() for p in parts["model"].parameters()]
    train(parts, max_steps=3)
    assert parts["callbacks"]["watcher"].names == ("model",) * 3
    assert not any(torch.equal(a, b) for a, b in zip(before, parts["model"].parameters(), strict=True))


def test_batch_process_hands_the_batch_on_from_listener_to_listener(make_parts, train):
    seen = []

    class Double:
        def batch_process(self, batch):
            return {**batch, "x": batch["x"] * 2}

    class Look:
        def batch_process(self, batch):
            seen.append(batch["x"])

    parts = make_parts(callbacks={"double": Double(), "look": Look()})
    original = next(iter(parts["datamodule"].train))["x"]
    train(parts, max_steps=1)
    assert torch.equal(seen[0], original * 2)


def test_post_loss_replaces_the_loss_that_is_differentiated(make_parts, train):
    class Nothing:
        def post_loss(self, loss):
            return loss * 0

    parts = make_parts(callbacks={"nothing": Nothing()})
    before = [p.clone() for p in parts["model"].parameters()]
    train(parts, max_steps=2)
    assert all(torch.equal(a, b) for a, b in zip(before, parts["model"].parameters(), strict=True))


def test_logging_hooks_add_to_what_is_logged(make_parts, small, train):
    class Size:
        def post_optim_log(self, batch):
            return {"rows": len(batch["x"])}

    log = small.Recorder()
    train(make_parts(callbacks={"size": Size()}, loggers={"log": log}), max_steps=5)
    assert log.rows[0][2]["rows"] == 4.0


def test_listeners_are_called_in_the_order_in_which_they_are_listed():
    order = []
    listeners = {
        name: type("Listener", (), {"on_fit_start": _saying(order, name)})() for name in ("first", "second", "third")
    }
    Hooks(listeners).fire("on_fit_start", context=None)
    assert order == ["first", "second", "third"]


def _saying(order, name):
    def on_fit_start(self):
        order.append(name)

    return on_fit_start


def test_pluggy_wrappers_and_order_marks_are_respected():
    order = []

    class Plain:
        on_fit_start = _saying(order, "plain")

    class Early:
        @hookimpl(tryfirst=True)
        def on_fit_start(self):
            order.append("early")

    class Around:
        @hookimpl(wrapper=True)
        def on_fit_start(self):
            order.append("before")
            yield
            order.append("after")

    Hooks({"plain": Plain(), "early": Early(), "around": Around()}).fire("on_fit_start", context=None)
    assert order == ["before", "early", "plain", "after"]


def test_hooks_that_nobody_implements_are_none():
    hooks = Hooks({"one": recorder("on_fit_end")})
    assert hooks.on_fit_end is not None
    assert all(getattr(hooks, name) is None for name in SPECS if name != "on_fit_end")


def test_a_misspelled_hook_is_refused_with_the_right_name():
    with pytest.raises(ComponentError, match="did you mean 'on_fit_start'"):
        Hooks({"typo": recorder("on_fit_strat")})


def test_an_argument_that_the_hook_does_not_offer_is_refused():
    class Wrong:
        def on_epoch_end(self, context, epohc):
            return None

    with pytest.raises(ComponentError, match=r"no argument 'epohc'.*context, epoch"):
        Hooks({"wrong": Wrong()})
