"""`cb.progress`: a bar on a terminal, lines elsewhere, and nothing per step."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import textwrap

import pytest
import torch  # noqa: F401 - runs train

from offline_trainer_core import hookspecs
from ot_builtins.callbacks.progress import RATE_WINDOW, Progress, Speed


def test_without_a_terminal_there_is_a_plain_line_at_every_log(fit, capsys):
    fit({"progress": Progress()}, max_epochs=2, log_every_n_steps=4)
    lines = capsys.readouterr().err.splitlines()
    train = [line for line in lines if line.startswith("step 16/16")]
    assert "epoch 2/2" in train[0]
    assert "loss 0." in train[0] or "loss 1." in train[0]
    assert "\x1b" not in "".join(lines)
    assert len(lines) == 4 + 2  # trainings at 4, 8, 12, 16 and two validations


def test_it_listens_to_nothing_that_happens_at_every_step():
    heard = {name for name in dir(Progress) if hasattr(getattr(hookspecs, name, None), "offline_trainer_spec")}
    assert heard == {"on_fit_start", "on_log", "on_fit_end", "on_exception"}


def test_other_processes_than_the_main_one_are_silent(capsys):
    class Context:
        class run:  # noqa: N801
            is_main = False

    progress = Progress()
    progress.on_fit_start(Context)
    progress.on_log(Context, {"loss": 1.0}, "train")
    progress.on_fit_end()
    assert capsys.readouterr().err == ""


def test_speed_is_that_of_the_last_seconds():
    speed = Speed()
    assert speed.steps_per_second is None
    for second in range(100):
        speed.observe(second * 10, now=float(second))
    for second in range(100, 100 + int(RATE_WINDOW) + 1):
        speed.observe(990 + (second - 99) * 2, now=float(second))
    assert speed.steps_per_second == pytest.approx(2.0)


PROGRAM = """
    from pathlib import Path
    from time import sleep
    from types import SimpleNamespace
    from ot_builtins.callbacks.progress import Progress

    context = SimpleNamespace(
        run=SimpleNamespace(is_main=True), state=SimpleNamespace(global_step=0, epoch=0), max_steps=40, max_epochs=4,
        last_train_logs={"loss": 0.5}, last_val_logs={"loss": 0.25},
    )
    progress = Progress(refresh_per_second=50)
    progress.on_fit_start(context)
    while context.state.global_step < 40:
        context.state.global_step += 1
        context.state.epoch = context.state.global_step // 10
        sleep(0.01)
    progress.on_fit_end()
"""


def test_on_a_terminal_a_bar_is_drawn_again_and_again(tmp_path):
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)], stdout=subprocess.DEVNULL, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = _read_all(ours)
    assert process.returncode == 0
    assert "step 40/40" in shown
    assert "epoch 4/4" in shown
    assert "val loss 0.25" in shown
    assert "steps/s" in shown
    assert "left" in shown
    assert "━" in shown
    assert shown.count("step ") > 3


def _read_all(descriptor: int) -> str:
    shown = io.BytesIO()
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            os.close(descriptor)
            return shown.getvalue().decode(errors="replace")
        shown.write(part)
