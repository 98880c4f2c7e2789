"""`log.tensorboard`: what TensorBoard itself reads back."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("tensorboard", reason="needs ot-builtins[tensorboard]")

import torch  # noqa: F401 - the writer is torch's
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ot_builtins.loggers.tensorboard import TensorBoard


def read(folder):
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_metrics_and_configuration_are_read_back(run_info, tmp_path):
    logger = TensorBoard()
    logger.open(run_info, None)
    logger.log_hparams({"trainer": {"max_steps": 3}})
    logger.log_metrics({"loss": 0.5}, step=10, stage="train")
    logger.log_metrics({"loss": 0.25}, step=10, stage="val")
    events = read(tmp_path / "tensorboard")  # the run goes on: what was logged is there already
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(10, 0.5)]
    assert [(e.step, e.value) for e in events.Scalars("val/loss")] == [(10, 0.25)]
    text = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert json.loads(text.removeprefix("```json\n").removesuffix("\n```")) == {"trainer": {"max_steps": 3}}
    logger.close()


def test_a_resume_purges_what_came_after_its_checkpoint(run_info, tmp_path, session):
    """Of the step of the checkpoint it keeps what the checkpoint has seen."""
    reports = [(1, "train"), (2, "train"), (2, "val"), (3, "train")]
    saved = session(run_info, TensorBoard(), reports, saved=2, killed=True)
    session(run_info, TensorBoard(), [(2, "val"), (3, "train")], (2, saved))
    events = read(tmp_path / "tensorboard")
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3]
    assert [event.step for event in events.Scalars("val/loss")] == [2]


def test_a_run_that_begins_again_purges_what_a_kill_before_its_first_checkpoint_left(run_info, tmp_path, session):
    session(run_info, TensorBoard(), [(1, "train"), (2, "train")], killed=True)
    session(run_info, TensorBoard(), [(1, "train"), (2, "train"), (3, "train")])
    assert [event.step for event in read(tmp_path / "tensorboard").Scalars("train/loss")] == [1, 2, 3]
