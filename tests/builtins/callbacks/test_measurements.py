"""`cb.gradient_norms`, `cb.lr_monitor` and `cb.throughput` log what is so."""

from __future__ import annotations

from time import sleep

import pytest
import torch

from offline_trainer_core import ComponentError
from ot_builtins.callbacks.gradient_norms import GradientNorms
from ot_builtins.callbacks.lr_monitor import LrMonitor
from ot_builtins.callbacks.throughput import Throughput


def logged(run, prefix, stage="train"):
    return [(step, {k: v for k, v in row.items() if k.startswith(prefix)})
            for step, s, row in run.rows if s == stage and any(k.startswith(prefix) for k in row)]  # fmt: skip


class Gradients:
    """Computes the norm of every module on its own, one parameter after the other."""

    def optimizer(self, context):
        squares = {}
        for name, parameter in context.model.named_parameters():
            module = f"grad_norm/policy.{name.split('.')[0]}"
            squares[module] = squares.get(module, 0.0) + parameter.grad.double().square().sum().item()
        self.norms = {module: square**0.5 for module, square in squares.items()}


def test_gradient_norms_are_those_of_the_gradients_the_optimizer_sees(fit):
    reference = Gradients()
    run = fit({"norms": GradientNorms(every_n_steps=4), "reference": reference}, max_epochs=1)
    step, norms = logged(run, "grad_norm/")[-1]
    assert step == 8
    assert norms == pytest.approx(reference.norms, rel=1e-5)
    assert len(norms) == 3


def test_gradient_norms_are_measured_only_when_due(fit):
    assert [step for step, _ in logged(fit({"norms": GradientNorms(4)}, max_epochs=1), "grad_norm/")] == [4, 8]


def test_depth_zero_gives_one_norm_per_model(fit):
    deep = logged(fit({"norms": GradientNorms(8, depth=1)}, max_epochs=1), "grad_norm/")[-1][1]
    whole = logged(fit({"norms": GradientNorms(8, depth=0)}, max_epochs=1), "grad_norm/")[-1][1]
    assert whole == {"grad_norm/policy": pytest.approx(torch.tensor(list(deep.values())).norm().item(), rel=1e-5)}


def test_the_rate_of_every_group_is_logged_at_the_step_that_used_it(fit):
    class Lower:
        def post_steps(self, context):
            context.optimizer.param_groups[0]["lr"] = 0.05 / (1 + context.state.global_step)

    rows = logged(fit({"lr": LrMonitor(4), "lower": Lower()}, max_epochs=1), "lr/")
    assert rows == [(step, {"lr/policy/0": 0.05 / (1 + step)}) for step in (4, 8)]


def test_throughput_counts_steps_samples_and_waiting(fit):
    class SlowStep:
        def pre_optim_steps(self, context):
            sleep(0.01)

    rows = logged(fit({"rate": Throughput(4), "slow": SlowStep()}, max_epochs=1), "")
    measured = [row for _, row in rows if "steps_per_second" in row]
    assert len(measured) == 2
    for row in measured:
        assert 0 < row["steps_per_second"] < 100  # a step sleeps for 10 ms
        assert row["samples_per_second"] == pytest.approx(8 * row["steps_per_second"])
        assert 0 <= row["data_wait"] < 0.9


def test_a_validation_does_not_slow_the_measured_steps_down(monkeypatch):
    clock = iter([0.0, 0.0, 1.0, 2.0, 3.0, 103.0, 104.0, 104.0, 104.0])
    monkeypatch.setattr("ot_builtins.callbacks.throughput.perf_counter", lambda: next(clock))

    class Context:
        class state:  # noqa: N801
            global_step = 0

        class run:  # noqa: N801
            world_size = 2

        due = staticmethod(lambda n: True)

        def log(self, metrics):
            self.metrics = metrics

    context, rate = Context(), Throughput(1)
    rate.on_epoch_start(context)
    rate.batch_process({"x": torch.zeros(8, 2)})  # waited 1 s
    rate.post_steps()
    rate.on_validation_start()
    rate.on_validation_end()  # 100 s
    context.state.global_step = 1
    rate.on_train_step_end(context)  # 4 s without the validation
    assert context.metrics == {"steps_per_second": 0.25, "samples_per_second": 4.0, "data_wait": 0.25}


@pytest.mark.parametrize("callback", [GradientNorms, LrMonitor, Throughput])
def test_a_cadence_of_zero_is_refused(callback):
    with pytest.raises(ComponentError, match="every_n_steps is at least 1"):
        callback(every_n_steps=0)
