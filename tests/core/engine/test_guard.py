"""A step on bad numbers is found before it is made, and the report says where they are."""

from __future__ import annotations

import json
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from offline_trainer_core import LossOutput, NonFiniteError
from offline_trainer_core.engine import assembly
from offline_trainer_core.engine.guard import Guard


class Fused:
    """An optimizer that takes the verdict from the device, as those on accelerators do."""

    def build(self, model: nn.Module, *, registry: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, fused=True)


class Slow:
    def build(self, model: nn.Module, *, registry: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters(), lr=1e-20, fused=True)


class Infinite:
    """Makes the loss of some steps infinite."""

    def __init__(self, *steps: int) -> None:
        self.steps = steps

    def post_loss(self, context: Any, loss: torch.Tensor) -> torch.Tensor | None:
        return loss * float("inf") if context.state.global_step in self.steps else None


@pytest.fixture(params=["read at once", "read at log cadence"])
def parts(request: Any, make_parts: Any, monkeypatch: Any) -> Any:
    """Return a function that makes parts; verdicts are read at once, or left on the device until they are logged."""
    if request.param == "read at once":
        return make_parts
    monkeypatch.setattr(assembly, "Guard", partial(Guard, deferred=True))
    return partial(make_parts, optimizer_factory=Fused())


@pytest.fixture
def named_batches(small: SimpleNamespace) -> type:
    """A loader that can say which rows its batches have."""

    class Named(small.Batches):  # type: ignore[name-defined, misc]
        def rows_of(self, epoch: int, batch: int) -> list[int]:
            generator = torch.Generator().manual_seed(epoch)
            return torch.randperm(len(self.x), generator=generator).view(self.count, -1)[batch].tolist()

        def samples(self, epoch: int, batch: int) -> list[dict[str, int]]:
            return [{"row": row, "episode": row // 10} for row in self.rows_of(epoch, batch)]

    return Named


def poisoned(batches: Any, row: int, value: float = float("nan")) -> Any:
    batches.x[row, 1] = value
    return batches


def weights_after(small: SimpleNamespace, steps: int, batches: Any) -> dict[str, torch.Tensor]:
    model = small.network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _, batch in zip(range(steps), batches, strict=False):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(batch["x"]), batch["y"]).backward()
        optimizer.step()
    return model.state_dict()


@pytest.mark.parametrize(("value", "kind"), [(float("nan"), "NaN"), (float("-inf"), "infinite")])
def test_a_bad_number_in_the_data_is_named_with_its_field_and_its_sample(
    parts: Any, train: Any, small: Any, named_batches: type, value: float, kind: str
) -> None:
    row = named_batches().rows_of(0, 7)[2]
    made = parts(datamodule=small.Data(train=poisoned(named_batches(), row, value)))
    with pytest.raises(NonFiniteError) as raised:
        train(made, max_epochs=1)
    first, second, *_ = str(raised.value).split("\n  ")
    assert "step 8 (epoch 0, batch 7)" in first
    assert second == f"x is {kind} in 1 of 4 samples: row {row} (episode {row // 10}), at [1] of the first"
    for name, weights in weights_after(small, 7, named_batches()).items():
        torch.testing.assert_close(made["model"].state_dict()[name], weights, rtol=1e-6, atol=1e-7)


def test_the_bad_batch_is_kept_with_the_numbers_of_its_samples(
    parts: Any, train: Any, small: Any, named_batches: type, tmp_path: Any
) -> None:
    loader = named_batches()
    rows = loader.rows_of(0, 7)
    with pytest.raises(NonFiniteError, match=r"step_00000008\.safetensors"):
        train(parts(datamodule=small.Data(train=poisoned(loader, rows[2]))), max_epochs=1)
    kept = load_file(tmp_path / "nonfinite/step_00000008.safetensors")
    assert torch.equal(kept["x"], loader.x[rows].nan_to_num(0.0)) is False
    torch.testing.assert_close(kept["x"], loader.x[rows], equal_nan=True, rtol=0, atol=0)
    finding = json.loads((tmp_path / "nonfinite/step_00000008.json").read_text())
    assert [sample["row"] for sample in finding["samples"]] == rows
    assert [(bad["name"], bad["samples"]) for bad in finding["fields"]] == [("x", [finding["samples"][2]])]


def test_of_accumulated_batches_the_bad_one_is_found(parts: Any, train: Any, small: Any, named_batches: type) -> None:
    class Holding:
        def wrap(self, model: nn.Module, device: Any) -> nn.Module:
            return model

        def accumulate(self, models: Any) -> Any:
            return torch.enable_grad()

    row = named_batches().rows_of(0, 4)[0]
    made = parts(datamodule=small.Data(train=poisoned(named_batches(), row)), strategy=Holding())
    with pytest.raises(NonFiniteError, match=rf"batches 4 to 7\)(.|\n)*NaN in 1 of 4 samples: row {row} "):
        train(made, max_epochs=1, grad_accum_steps=4, log_every=1)


def test_a_loss_that_overflows_names_gradients_and_samples_and_what_was_logged_last(
    make_parts: Any, train: Any, small: Any, named_batches: type
) -> None:
    made = make_parts(datamodule=small.Data(train=named_batches()), callbacks={"infinite": Infinite(7)})
    with pytest.raises(NonFiniteError) as raised:
        train(made, max_epochs=1)
    report = str(raised.value)
    assert "its batch holds finite numbers only, and its loss was inf" in report
    assert (
        "gradients that are not finite: model.0.weight, model.0.bias, model.3.weight, model.3.bias (4 of 4)" in report
    )
    assert "its samples: " + ", ".join(f"row {row} (" for row in named_batches().rows_of(0, 7)[:1]) in report
    assert "logged last: loss " in report
    assert "lower the learning rate" in report


def test_an_overflow_that_is_read_later_is_looked_for_again_with_the_weights_that_it_had(
    make_parts: Any, train: Any, small: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(assembly, "Guard", partial(Guard, deferred=True))

    class Steep(small.SquaredError):  # type: ignore[name-defined, misc]
        def __call__(self, **given: Any) -> LossOutput:
            return LossOutput(super().__call__(**given).loss * 1e15)

    data = small.Data()
    data.train.y[torch.randperm(48, generator=torch.Generator().manual_seed(0))[20]] = 1e30
    with pytest.raises(NonFiniteError) as raised:
        train(make_parts(optimizer_factory=Slow(), datamodule=data, loss=Steep()), max_epochs=1, log_every=12)
    assert "step 6 (epoch 0, batch 5)" in str(raised.value)
    assert "finite numbers only, and computed again, its loss is inf" in str(raised.value)
    assert "gradients that are not finite: model." in str(raised.value)


def test_a_loss_that_is_not_finite_is_found_where_its_gradients_are(parts: Any, train: Any) -> None:
    class Lost:
        def post_loss(self, context: Any, loss: torch.Tensor) -> torch.Tensor:
            return loss + torch.tensor(float("nan")) if context.state.global_step == 3 else loss

    with pytest.raises(NonFiniteError, match="step 4 "):
        train(parts(callbacks={"lost": Lost()}), max_epochs=1)


def test_nothing_is_saved_after_a_bad_step(parts: Any, train: Any, tmp_path: Any) -> None:
    class Saves:
        def on_train_step_end(self, context: Any) -> None:
            context.save_checkpoint()

    with pytest.raises(NonFiniteError, match="step 4 "):
        train(parts(callbacks={"infinite": Infinite(3), "saves": Saves()}), max_epochs=1, log_every=12)
    assert sorted(path.name for path in (tmp_path / "checkpoints").glob("step_*")) == [
        f"step_0000000{n}" for n in (1, 2, 3)
    ]


def test_skipped_steps_are_counted_in_the_logs_and_said_once(parts: Any, train: Any, small: Any, caplog: Any) -> None:
    recorder = small.Recorder()
    made = parts(callbacks={"infinite": Infinite(2, 3, 7)}, loggers={"recorder": recorder})
    session = train(made, max_epochs=1, log_every=4, on_nonfinite="skip")
    assert session.state.global_step == 12
    assert [row["skipped"] for _, _, row in recorder.rows] == [0.5, 0.25, 0.0]
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "step 3 (epoch 0, batch 2)" in warnings[0]
    assert all(p.isfinite().all() for p in made["model"].parameters())


def test_without_bad_steps_nothing_is_said(parts: Any, train: Any, caplog: Any, tmp_path: Any) -> None:
    train(parts(), max_epochs=2)
    assert not caplog.records
    assert not (tmp_path / "nonfinite").exists()


def test_a_run_that_only_skips_ends(parts: Any, train: Any) -> None:
    with pytest.raises(NonFiniteError, match=r"step 101 (.|\n)*the 100 steps before it were left out too"):
        train(parts(callbacks={"infinite": Infinite(*range(200))}), max_epochs=20, on_nonfinite="skip")


class Leaves:
    """Stops the run after a step; it is to be resumed."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_step_end(self, context: Any) -> None:
        if context.state.global_step == self.step:
            context.stop("enough for now", resumable=True)


@pytest.mark.parametrize(("last_bad", "is_too_many"), [(101, True), (100, False)])
def test_steps_that_are_skipped_in_a_row_are_counted_over_a_resume(
    parts: Any, train: Any, last_bad: int, is_too_many: bool
) -> None:
    infinite = Infinite(*range(last_bad))
    train(parts(callbacks={"infinite": infinite, "leaves": Leaves(60)}), max_steps=110, on_nonfinite="skip")
    with pytest.raises(NonFiniteError, match="step 101 ") if is_too_many else nullcontext():
        train(parts(callbacks={"infinite": infinite}, resume_from="auto"), max_steps=110, on_nonfinite="skip")


def test_skips_that_do_not_follow_one_another_end_nothing(parts: Any, train: Any) -> None:
    made = parts(callbacks={"infinite": Infinite(*(step for step in range(240) if step % 60))})
    assert train(made, max_epochs=20, on_nonfinite="skip").state.global_step == 240


def test_a_batch_that_cannot_be_written_does_not_hide_the_report(make_parts: Any, train: Any, tmp_path: Any) -> None:
    (tmp_path / "nonfinite").write_text("in the way")
    with pytest.raises(NonFiniteError, match=r"step 3 (.|\n)*could not be written: .*nonfinite"):
        train(make_parts(callbacks={"infinite": Infinite(2)}), max_epochs=1)
