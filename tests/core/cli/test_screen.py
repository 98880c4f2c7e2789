"""What a terminal shows: lines that fit and break between words, carets at their place, colour where it is wanted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from offline_trainer_core.cells import width

pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
LONG = "x" * 30
WRONG = f"""\
schema_version: 1
run: {{name: study, out_dir: runs, sed: 3}}
{LONG}: {{a: "{"日本 " * 40}", b: 3, b: 4, c: "{"é" * 90}"}}
model: {{_type_: model.nothing}}
"""
Screen = Callable[..., str]


@pytest.fixture
def screen(tmp_path: Path) -> Screen:
    """Return a function that runs `ot` on a terminal of so many columns and returns what it shows."""
    (tmp_path / "wrong.yaml").write_text(WRONG)

    def screen(columns: int, *arguments: str, **env: str) -> str:
        import fcntl
        import struct
        import termios

        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        clean = {
            key: value
            for key, value in os.environ.items()
            if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
        }
        command = [sys.executable, "-m", "offline_trainer_core", *arguments]
        process = subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=tmp_path, env={**clean, **env})
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:  # the end, as Linux tells it
            pass
        os.close(ours)
        process.wait()
        return shown.decode().replace("\r\n", "\n")

    return screen


@pytest.mark.parametrize("columns", [80, 120])
def test_every_line_fits_the_terminal_and_no_word_is_broken(
    screen: Screen, ot: Callable[..., object], columns: int
) -> None:
    shown = ESCAPE.sub("", screen(columns, "check", "wrong.yaml"))
    assert all(width(line) <= columns for line in shown.splitlines()), shown
    assert any(line.endswith("…") for line in shown.splitlines())
    whole = ot("check", "wrong.yaml").stdout  # type: ignore[attr-defined]
    words = {word for line in whole.splitlines() if "|" not in line for word in line.split()}
    assert words <= set(shown.split())


def test_carets_stand_under_the_token_on_a_terminal(screen: Screen) -> None:
    lines = ESCAPE.sub("", screen(80, "check", "wrong.yaml")).splitlines()
    at = next(number for number, line in enumerate(lines) if "duplicate-key" in line)
    source, carets = lines[at + 3], lines[at + 4]
    column = 0
    for character in source:
        if column == carets.index("^"):
            assert character == "b"
            return
        column += width(character)
    raise AssertionError(f"no caret under a key:\n{source}\n{carets}")


def test_colour_is_for_terminals_whose_owner_wants_it(screen: Screen, ot: Callable[..., object]) -> None:
    assert ESCAPE.search(screen(80, "check", "wrong.yaml"))
    assert not ESCAPE.search(screen(80, "check", "wrong.yaml", NO_COLOR="1"))
    assert not ESCAPE.search(ot("check", "wrong.yaml").stdout)  # type: ignore[attr-defined]


@pytest.mark.skipif(find_spec("torch") is None, reason="a run needs torch")
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "wrong.yaml"],
        ["run", "wrong.yaml"],
        ["show", "right.yaml"],
        ["explain", "right.yaml", "run.name"],
        ["plugins"],
        ["chekc"],
        ["check"],
        ["run", "wrong.yaml", "--nproc", "none"],
    ],
)
def test_colour_goes_through_a_pipe_where_it_is_asked_for(screen: Screen, ot, tmp_path, arguments) -> None:
    (tmp_path / "right.yaml").write_text(f"run: {{name: {'long ' * 40}name}}\n")
    plain, forced = (ot(*arguments, env={"NO_COLOR": "", "FORCE_COLOR": force}) for force in ("", "1"))
    assert ESCAPE.search(forced.stdout + forced.stderr)
    assert not ESCAPE.search(plain.stdout + plain.stderr)
    refused = ot(*arguments, env={"NO_COLOR": "1", "FORCE_COLOR": "1"})
    assert (refused.stdout, refused.stderr) == (plain.stdout, plain.stderr)
    for coloured, text in ((forced.stdout, plain.stdout), (forced.stderr, plain.stderr)):
        assert [line.rstrip() for line in ESCAPE.sub("", coloured).splitlines()] == text.splitlines()


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed: nothing can be run")
def test_run_shows_the_same_problems_as_check(screen: Screen, ot: Callable[..., object]) -> None:
    checked, run = ot("check", "wrong.yaml"), ot("run", "wrong.yaml")
    problems = json.loads(ot("check", "wrong.yaml", "--format", "json").stdout)["problems"]  # type: ignore[attr-defined]
    assert len(problems) > 3
    for problem in problems:
        if problem["severity"] == "error":
            assert problem["message"] in checked.stdout  # type: ignore[attr-defined]
            assert problem["message"] in run.stderr  # type: ignore[attr-defined]
