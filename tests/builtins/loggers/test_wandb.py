"""`log.wandb`: what the real client writes in offline mode, read back from its file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("wandb", reason="needs ot-builtins[wandb]")

import wandb
from wandb.proto.wandb_internal_pb2 import Record

from ot_builtins.loggers.wandb import Wandb

FILE_HEADER, BLOCK, RECORD_HEADER = 7, 32768, 7
LAST_PARTS = (1, 4)
"""Types of a part that completes a record: the only one, or the last one."""


def records(path: Path) -> Iterator[Record]:
    """Yield the records of a W&B file, which is laid out as a LevelDB log."""
    data, at, record = path.read_bytes(), FILE_HEADER, b""
    while at + RECORD_HEADER <= len(data):
        if BLOCK - at % BLOCK < RECORD_HEADER:
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        record += data[at + RECORD_HEADER : at + RECORD_HEADER + length]
        at += RECORD_HEADER + length
        if kind in LAST_PARTS:
            yield Record.FromString(record)
            record = b""


def read(folder: Path) -> list[tuple[str, dict]]:
    """Return (run id, logged values without W&B's own) of every history row in every file."""
    rows = []
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for record in records(path):
            if record.WhichOneof("record_type") == "history":
                items = {(i.key or "/".join(i.nested_key)): json.loads(i.value_json) for i in record.history.item}
                rows.append((path.stem, {k: v for k, v in items.items() if not k.startswith("_")}))
    return rows


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


def log(run_info, steps):
    logger = Wandb(project="tests", mode="offline", tags=["small"])
    logger.open(run_info, None)
    logger.log_hparams({"trainer": {"max_steps": 7919}})
    for step in steps:
        logger.log_metrics({"loss": step / 8}, step=step, stage="train")
    logger.close()
    wandb.teardown()  # W&B's own process may still be writing when a run is finished


def test_metrics_and_configuration_are_read_back(run_info, tmp_path):
    log(run_info, [1, 2])
    assert [row for _, row in read(tmp_path)] == [
        {"global_step": 1, "train/loss": 0.125},
        {"global_step": 2, "train/loss": 0.25},
    ]
    (path,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    everything = list(records(path))
    configured = [u.value_json for r in everything for u in r.config.update if u.key == "trainer"]
    configured += [u.value_json for r in everything for u in r.run.config.update if u.key == "trainer"]
    assert json.loads(configured[-1]) == {"max_steps": 7919}
    assert {r.run.display_name for r in everything if r.WhichOneof("record_type") == "run"} == {"pusht"}


def offline():
    return Wandb(project="tests", mode="offline")


def steps(folder):
    return [(row["global_step"], name) for _, row in read(folder) for name in row if name != "global_step"]


def test_a_resume_writes_everything_anew_whatever_the_kill_lost(run_info, session, tmp_path):
    saved = session(run_info, offline(), [(1, "train"), (2, "train"), (2, "val")], saved=2, killed=True)
    wandb.teardown()
    session(run_info, offline(), [(2, "val"), (3, "train")], (2, saved))
    wandb.teardown()
    assert steps(tmp_path) == [(1, "train/loss"), (2, "train/loss"), (2, "val/loss"), (3, "train/loss")]
    (before,) = tmp_path.glob("wandb/replaced/offline-run-*/*.wandb")
    assert {name for name, _ in read(tmp_path)} == {before.stem}, "it is the same run there"


def test_what_was_synchronized_stays_and_a_new_run_has_everything(run_info, session, tmp_path):
    saved = session(run_info, offline(), [(1, "train")], saved=1)
    wandb.teardown()
    (sent,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    sent.with_suffix(".wandb.synced").touch()  # what `wandb sync` leaves
    session(run_info, offline(), [(2, "train")], (1, saved))
    wandb.teardown()
    assert steps(tmp_path) == [(1, "train/loss"), (2, "train/loss")]
    assert {name for name, _ in read(tmp_path)} != {sent.stem}


def test_a_fresh_run_is_another_run_there(run_info, session, tmp_path):
    for _ in range(2):
        session(run_info, offline(), [(1, "train")])
        wandb.teardown()
    assert len({name for name, _ in read(tmp_path)}) == 2
