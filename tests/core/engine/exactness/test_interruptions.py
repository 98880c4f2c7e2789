"""A run that is stopped or killed anywhere, and goes on, ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from exact_run import Data, Killed, TwoModels, fit
from torch.utils.data import DataLoader, TensorDataset

from offline_trainer_core.record import CheckpointStore
from ot_builtins.callbacks.model_checkpoint import ModelCheckpoint

OFTEN = {"val_every_n_steps": 4, "eval_every_n_epochs": 2}
STATISTICS = Data().stats


class Evaluation:
    """Draws random numbers, as an environment does that is not seeded."""

    def evaluate(self, policy: Any, *, run: Any, step: int) -> dict[str, float]:
        actions = [policy.act({"x": torch.randn(2, 3)}) for _ in range(3)]
        return {"mean": torch.stack(actions).mean().item()}


class Signals:
    """Sends SIGTERM to this process when a hook or a method is called for the n-th time."""

    def __init__(self, place: str, nth: int) -> None:
        self.place, self.left = place, nth

    def at(self, place: str) -> None:
        if place == self.place:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGTERM)

    def post_optim(self) -> None:
        self.at("update")

    def on_train_step_end(self) -> None:
        self.at("end of a step")

    def on_validation_start(self) -> None:
        self.at("start of a validation")

    def on_validation_end(self) -> None:
        self.at("end of a validation")

    def on_evaluation_start(self) -> None:
        self.at("start of an evaluation")

    def on_evaluation_end(self) -> None:
        self.at("end of an evaluation")

    def on_epoch_end(self) -> None:
        self.at("end of an epoch")


class Watched(TwoModels):
    """Says when it validates and when it acts."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def validate(self, batch: Mapping[str, Any]) -> Any:
        self.signals.at("batch of a validation")
        return super().validate(batch)

    def act(self, observation: Mapping[str, Any]) -> Any:
        self.signals.at("action")
        return super().act(observation)


def run(folder: Path, *, signals: Signals | None = None, callbacks: Any = None, **changes: Any) -> dict[str, Any]:
    data = changes.pop("datamodule", None) or Data()
    data.stats = STATISTICS
    signals = signals or Signals("nowhere", 0)
    settings = {**OFTEN, **changes.pop("settings", {})}
    return fit(
        folder, datamodule=data, algorithm=Watched(signals), evaluations={"env": Evaluation()}, settings=settings,
        callbacks={"signals": signals, **(callbacks or {})}, patience=7, **changes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("whole") / "run")


PLACES = [
    ("update", 1), ("update", 5), ("update", 12), ("update", 24),
    ("end of a step", 4), ("end of a step", 6), ("end of a step", 24),
    ("start of a validation", 1), ("start of a validation", 2),
    ("batch of a validation", 3), ("batch of a validation", 6), ("batch of a validation", 8),
    ("batch of a validation", 26), ("end of a validation", 1), ("end of a validation", 2), ("end of a validation", 8),
    ("start of an evaluation", 1), ("action", 2), ("action", 5), ("end of an evaluation", 1),
    ("end of an epoch", 1), ("end of an epoch", 4),
]  # fmt: skip


@pytest.mark.parametrize(("place", "nth"), PLACES)
def test_a_signal_at_any_place_changes_nothing_in_the_end(tmp_path, uninterrupted, place, nth):
    signals = Signals(place, nth)
    run(tmp_path / "run", signals=signals)
    assert signals.left <= 0, "the signal was never sent"
    assert run(tmp_path / "run", resume=True) == uninterrupted


def test_signals_in_one_validation_after_another(tmp_path, uninterrupted):
    for batch in (1, 2, 5):
        run(tmp_path / "run", signals=Signals("batch of a validation", batch), resume=batch > 1)
    assert run(tmp_path / "run", resume=True) == uninterrupted


class Dies:
    """Saves after every `every`-th step, and is killed at a hook when it is called for the n-th time."""

    def __init__(self, hook: str, nth: int, every: int) -> None:
        self.hook, self.left, self.every = hook, nth, every

    def on_train_step_end(self, context: Any) -> None:
        if context.due(self.every):
            context.save_checkpoint()
        self.at("on_train_step_end")

    def post_steps(self) -> None:
        self.at("post_steps")

    def on_validation_end(self) -> None:
        self.at("on_validation_end")

    def on_checkpoint_saved(self) -> None:
        self.at("on_checkpoint_saved")

    def on_epoch_end(self) -> None:
        self.at("on_epoch_end")

    def at(self, hook: str) -> None:
        if hook == self.hook:
            self.left -= 1
            if self.left == 0:
                raise Killed


@pytest.mark.parametrize(
    ("hook", "nth"),
    [("post_steps", 8), ("post_steps", 14), ("post_steps", 20), ("on_train_step_end", 7), ("on_validation_end", 3),
     ("on_checkpoint_saved", 2), ("on_checkpoint_saved", 5), ("on_epoch_end", 3)],
)  # fmt: skip
@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_kill_in_a_step_or_in_a_window_of_accumulated_batches_is_made_up_for(tmp_path, hook, nth, accumulate):
    settings = {"grad_accum_steps": accumulate, "log_every_n_steps": 3}
    whole = run(tmp_path / "whole", settings=settings)
    every = 2 if accumulate == 1 else 1
    with pytest.raises(Killed):
        run(tmp_path / "run", settings=settings, callbacks={"dies": Dies(hook, nth, every)})
    assert run(tmp_path / "run", settings=settings, resume=True) == whole


def test_several_kills_in_one_epoch(tmp_path, uninterrupted):
    for attempt, steps in enumerate((2, 3, 3)):
        dies = {"dies": Dies("on_train_step_end", steps, 1)}
        with pytest.raises(Killed):
            run(tmp_path / "run", callbacks=dies, resume=attempt > 0)
    assert run(tmp_path / "run", resume=True) == uninterrupted


@pytest.mark.parametrize("first", [{"max_steps": 8}, {"max_epochs": 2}, {"max_steps": 12}])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_a_run_that_is_made_longer_is_the_run_that_was_longer_from_the_start(tmp_path, first, accumulate):
    common = {"grad_accum_steps": accumulate, "log_every_n_steps": 5}
    whole = run(tmp_path / "whole", settings=common)
    run(tmp_path / "run", settings={**common, **first})
    assert run(tmp_path / "run", settings=common, resume=True) == whole


def test_a_run_that_had_ended_ends_again_in_the_same_way(tmp_path, uninterrupted):
    run(tmp_path / "run")
    assert run(tmp_path / "run", resume=True) == uninterrupted


class Plain(Data):
    """What most people write: a `DataLoader` that shuffles, without any way to begin in the middle."""

    generator: torch.Generator | None = None
    workers = 0

    def train_dataloader(self) -> Any:
        rows = TensorDataset(self.rows["x"], self.rows["y"])
        return DataLoader(
            rows, batch_size=4, shuffle=True, collate_fn=augmented, generator=self.generator, num_workers=self.workers
        )


def augmented(samples: list[Any]) -> dict[str, torch.Tensor]:
    x, y = (torch.stack(column) for column in zip(*samples, strict=True))
    return {"x": x + 0.01 * torch.randn_like(x), "y": y}


class WithItsOwnGenerator(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(3)


class WithWorkers(Plain):
    workers = 2


@pytest.mark.parametrize("data", [Plain, WithItsOwnGenerator, WithWorkers])
@pytest.mark.parametrize(("hook", "nth"), [("post_steps", 9), ("on_epoch_end", 2)])
def test_a_dataloader_without_set_epoch_gives_the_same_batches_augmented_alike(tmp_path, data, hook, nth):
    whole = run(tmp_path / "whole", datamodule=data())
    with pytest.raises(Killed):
        run(tmp_path / "run", datamodule=data(), callbacks={"dies": Dies(hook, nth, 2)})
    seen = Verdict()
    assert run(tmp_path / "run", datamodule=data(), callbacks={"verdict": seen}, resume=True) == whole
    assert str(seen.exactness) == "exact"


class Verdict:
    exactness: Any = None

    def on_resume(self, exactness: Any) -> None:
        self.exactness = exactness


def keeps_two() -> dict[str, Any]:
    return {"checkpoint": ModelCheckpoint(monitor="loss", keep_last=2)}


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_the_best_checkpoint_is_the_same_when_a_kill_comes_between_the_save_and_the_mark(tmp_path, monkeypatch, nth):
    whole = run(tmp_path / "whole", callbacks=keeps_two())
    mark, left = CheckpointStore.mark_best, [nth]

    def dying(store: CheckpointStore, name: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        mark(store, name)

    with monkeypatch.context() as patched:
        patched.setattr(CheckpointStore, "mark_best", dying)
        with pytest.raises(Killed):
            run(tmp_path / "run", callbacks=keeps_two())
    assert run(tmp_path / "run", callbacks=keeps_two(), resume=True) == whole
    stores = [CheckpointStore(tmp_path / name / "checkpoints").names() for name in ("run", "whole")]
    assert stores[0] == stores[1]
