"""`trainer.default`: when it logs, validates, evaluates and stops."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offline_trainer_core import ComponentError
from ot_builtins.callbacks.early_stopping import EarlyStopping
from ot_builtins.callbacks.ema import Ema
from ot_builtins.metrics import MeanSquaredError
from ot_builtins.trainer import DefaultTrainer


def steps_of(run, stage):
    return [step for step, logged, _ in run.rows if logged == stage]


def by_hand(run, steps, accumulate=1):
    """Return the model and the losses of a loop that anyone would write: SGD, six batches an epoch."""
    torch.manual_seed(7)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches, losses = run.data.batches(0, 12, 2), []
    windows = [batches[i : i + accumulate] for i in range(0, 6, accumulate)]
    for step in range(steps):
        window = windows[step % len(windows)]
        losses.append([nn.functional.mse_loss(model(batch["x"]), batch["y"]) for batch in window])
        optimizer.zero_grad()
        torch.stack(losses[-1]).mean().backward()
        optimizer.step()
    return model, [[loss.item() for loss in window] for window in losses]


def mean_over_samples(model, run):
    x, y = run.data.x[12:], run.data.y[12:]
    with torch.no_grad():
        return nn.functional.mse_loss(model(x), y).item()


def mean(windows):
    values = [value for window in windows for value in window]
    return sum(values) / len(values)


def test_training_is_logged_every_n_steps_as_the_mean_since_the_last_time(small_run):
    run = small_run(max_steps=7, log_every_n_steps=3)
    _, losses = by_hand(run, 7)
    logged = [(step, row["loss"]) for step, stage, row in run.rows if stage == "train"]
    assert [step for step, _ in logged] == [3, 6, 7]
    expected = [mean(losses[0:3]), mean(losses[3:6]), mean(losses[6:7])]
    assert [loss for _, loss in logged] == pytest.approx(expected, rel=1e-6)


def test_with_accumulation_everything_counts_in_optimizer_steps(small_run):
    run = small_run(max_epochs=2, grad_accum_steps=4, log_every_n_steps=2, val_every_n_steps=3, val_every_n_epochs=None)
    model, losses = by_hand(run, 4, accumulate=4)
    assert run.result.state.global_step == 4
    assert steps_of(run, "train") == [2, 4]
    assert steps_of(run, "val") == [3, 4]
    logged = [row["loss"] for _, stage, row in run.rows if stage == "train"]
    assert logged == pytest.approx([mean(losses[0:2]), mean(losses[2:4])], rel=1e-5)
    torch.testing.assert_close(run.model.weight, model.weight)


def test_several_updates_on_a_batch_skip_no_log(small_run):
    run = small_run(max_epochs=1, optim_steps_per_batch=4, log_every_n_steps=6)
    assert run.result.state.global_step == 24
    assert steps_of(run, "train") == [8, 12, 20, 24]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"max_epochs": 4}, [6, 12, 18, 24]),
        ({"max_epochs": 4, "val_every_n_epochs": 2}, [12, 24]),
        ({"max_epochs": 3, "val_every_n_epochs": 2}, [12, 18]),
        ({"max_epochs": 2, "val_every_n_steps": 5, "val_every_n_epochs": None}, [5, 10, 12]),
        ({"max_epochs": 2, "val_every_n_steps": 5}, [5, 6, 10, 12]),
        ({"max_steps": 8}, [6, 8]),
        ({"max_steps": 6}, [6]),
        ({"max_steps": 6, "val_every_n_steps": 6}, [6]),
        ({"max_steps": 8, "val_every_n_epochs": None}, []),
    ],
)
def test_validation_comes_when_it_is_due_and_once_for_a_step(small_run, settings, expected):
    assert steps_of(small_run(**settings), "val") == expected


@pytest.mark.parametrize("steps", [6, 8])
def test_the_validation_loss_is_the_mean_over_all_samples(small_run, steps):
    run = small_run(max_steps=steps)
    model, _ = by_hand(run, steps)
    expected = mean_over_samples(model, run)
    parts = [nn.functional.mse_loss(model(batch["x"]), batch["y"]).item() for batch in run.data.val_dataloader()]
    assert run.result.metrics["val/loss"] == pytest.approx(expected, rel=1e-6)
    assert run.result.metrics["val/loss"] != pytest.approx(sum(parts) / len(parts), rel=1e-3)


class Evaluation:
    def __init__(self) -> None:
        self.steps = []

    def evaluate(self, policy, *, run, step):
        self.steps.append(step)
        return {"return_mean": float(step)}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"max_epochs": 3}, [18]),
        ({"max_epochs": 3, "eval_every_n_epochs": 1}, [6, 12, 18]),
        ({"max_epochs": 5, "eval_every_n_epochs": 2}, [12, 24, 30]),
        ({"max_steps": 8, "eval_every_n_epochs": 1}, [6, 8]),
        ({"max_steps": 12, "eval_every_n_epochs": 1}, [6, 12]),
    ],
)
def test_evaluation_comes_every_n_epochs_and_at_the_end_and_once_for_a_step(small_run, settings, expected):
    evaluation = Evaluation()
    run = small_run(evaluations={"walk": evaluation}, **settings)
    assert evaluation.steps == steps_of(run, "eval") == expected
    assert run.result.metrics["eval/return_mean"] == expected[-1]


def test_scores_of_several_evaluations_keep_apart(small_run):
    run = small_run(max_steps=1, evaluations={"walk": Evaluation(), "run": Evaluation()})
    assert run.result.metrics["eval/walk/return_mean"] == run.result.metrics["eval/run/return_mean"] == 1


class Worse:
    """A loss that rises whatever the model does."""

    def __init__(self) -> None:
        self.calls = 0.0

    def __call__(self, *, outputs, targets, batch, stage):
        from offline_trainer_core import LossOutput

        self.calls += stage == "val"
        return LossOutput(outputs.sum() * 0 + self.calls)


def test_a_callback_stops_the_run_in_good_order(small_run):
    evaluation = Evaluation()
    run = small_run(
        max_epochs=50, loss=Worse(), callbacks={"stop": EarlyStopping(patience=2)}, evaluations={"walk": evaluation}
    )
    assert (run.result.status, run.result.state.epoch) == ("finished", 3)
    assert "'loss' has not improved" in run.result.reason
    assert evaluation.steps == [18]


def test_metrics_of_training_and_of_validation_do_not_mix(small_run):
    run = small_run(max_epochs=2, metrics={"mse": MeanSquaredError(stages=("train", "val"))})
    logged = {stage: [row["mse"] for _, logged, row in run.rows if logged == stage and "mse" in row]
              for stage in ("train", "val")}  # fmt: skip
    _, losses = by_hand(run, 12)
    assert logged["train"] == pytest.approx([mean(losses[:6]), mean(losses[6:])], rel=1e-5)
    validated = [row["loss"] for _, stage, row in run.rows if stage == "val"]
    assert logged["val"] == pytest.approx(validated, rel=1e-5)
    assert logged["train"] != pytest.approx(logged["val"], rel=1e-3)


def test_validation_uses_the_average_of_the_weights_and_training_does_not(small_run):
    run = small_run(max_steps=6, callbacks={"ema": Ema(decay=0.5)})
    trained, _ = by_hand(run, 6)
    torch.manual_seed(7)
    average = nn.Linear(3, 2)
    for step in range(1, 7):
        weights, _ = by_hand(run, step)
        with torch.no_grad():
            for mean_, new in zip(average.parameters(), weights.parameters(), strict=True):
                mean_.lerp_(new, 0.5)
    assert run.result.metrics["val/loss"] == pytest.approx(mean_over_samples(average, run), rel=1e-5)
    assert run.result.metrics["val/loss"] != pytest.approx(mean_over_samples(trained, run), rel=1e-3)
    assert torch.equal(run.model.weight, trained.weight)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "needs max_epochs or max_steps"),
        ({"max_epochs": 0}, "max_epochs must be positive, and is 0"),
        ({"max_steps": -1}, "max_steps must be positive, and is -1"),
        ({"max_steps": 1, "grad_clip_norm": 0.0}, "grad_clip_norm must be positive"),
        ({"max_steps": 1, "log_every_n_steps": 0}, "log_every_n_steps must be positive"),
        ({"max_steps": 1, "val_every_n_steps": 0}, "val_every_n_steps must be positive"),
        ({"max_steps": 1, "on_nonfinite": "stop"}, "on_nonfinite is raise, skip or ignore, not 'stop'"),
        ({"max_steps": 1, "grad_accum_steps": 2, "optim_steps_per_batch": 2}, "cannot both be over 1"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ComponentError, match=message):
        DefaultTrainer(**settings)


class Wrapper:
    """A trainer that trains a second network's worth by passing everything on."""

    def __init__(self, inner) -> None:
        self.inner = inner

    def fit(self, *, callbacks=None, **parts):
        self.parts = parts
        return self.inner.fit(callbacks=callbacks or {}, **parts)


def test_a_trainer_that_wraps_another_passes_everything_through(small_run):
    wrapper = Wrapper(DefaultTrainer(max_steps=4, log_every_n_steps=1))
    wrapped, plain = small_run(wrapper), small_run(max_steps=4, log_every_n_steps=1)
    assert wrapped.rows == plain.rows
    assert torch.equal(wrapped.model.weight, plain.model.weight)
    assert wrapper.parts.keys() == plain.parts.keys() - {"callbacks"}
