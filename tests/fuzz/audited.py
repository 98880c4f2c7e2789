"""Runs `ot check` on files under an audit hook: `python audited.py REPORT [--deep] FILE...`.

Writes for each file the exit code, the screen, and every event that checking a configuration must not cause. The
modules that a check needs are imported before, by checking configurations in which nothing, and something, is wrong.
"""

from __future__ import annotations

import ast
import dataclasses
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import xxhash  # noqa: F401  (a check imports it when a file names local modules)
from malicious import experiment
from trial import STYLES

from offline_trainer_core.cli import main

FORBIDDEN = (
    "os.",
    "subprocess.",
    "socket.",
    "ctypes.",
    "pickle.",
    "marshal.",
    "shutil.",
    "webbrowser.",
    "code.",
    "function.",
)
HARMLESS = (
    "os.listdir",
    "os.scandir",
    "os.stat",
    "os.putenv",
    "os.unsetenv",
    "marshal.load",
    "marshal.loads",
    "os.walk",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
OURS = (
    "offline_trainer_core",
    "ot_builtins",
    "ot_policy_constructor",
    "ot_imitation",
    "ot_offline_rl",
    "ot_example_plugins",
)
READABLE = tuple({os.path.realpath(path) for path in (*sys.path, sys.prefix, sys.base_prefix) if path})
GENERATORS = (dataclasses.__file__, sys.modules["collections"].__file__, ast.__file__)
"""Modules of Python that compile code of their own making."""

events: list[str] = []
watching = False
here = os.getcwd()


def hook(event: str, args: tuple[Any, ...]) -> None:
    if watching and is_forbidden(event, args):
        events.append(f"{event} {args!r}"[:300])


def is_forbidden(event: str, args: tuple[Any, ...]) -> bool:
    """Whether a check must not cause this event: it runs, imports, connects to, writes or reads what it should not."""
    if event == "open":
        return is_forbidden_to_open(args[0], args[2])
    if event == "import":
        return args[0].partition(".")[0] not in (*OURS, "encodings", "unicodedata", "pwd")
    if event in ("exec", "compile"):
        return caller() not in GENERATORS and not is_own(args)
    return event.startswith(FORBIDDEN) and event not in HARMLESS


def is_forbidden_to_open(path: object, flags: int) -> bool:
    if not isinstance(path, (str, bytes)):
        return False
    real = os.path.realpath(os.fsdecode(path)) if b"\0" not in os.fsencode(path) else ""
    return bool(flags & WRITING) or not real.startswith((here, *READABLE))


def is_own(args: tuple[Any, ...]) -> bool:
    """Whether a code object is of a module of ours, or one whose import is watched."""
    file = getattr(args[0], "co_filename", "")
    return any(f"/{name}/" in file for name in OURS) or "/encodings/" in file


def caller() -> str:
    """Return the file of the first frame that is not this one's."""
    frame: Any = sys._getframe(1)
    while frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return str(frame.f_code.co_filename)


@contextmanager
def watched() -> Iterator[None]:
    global watching
    watching = True
    try:
        yield
    finally:
        watching = False


def check(file: str, style: str, *options: str) -> dict[str, Any]:
    """Check one file; return how that ended, and what it caused."""
    events.clear()
    screen = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    code: Any = None
    with redirect_stdout(screen), redirect_stderr(screen), watched():
        try:
            main(["check", "--format", style, *options, file])
        except SystemExit as ended:
            code = ended.code
    return {"code": code or 0, "screen": screen.buffer.getvalue().decode(), "events": list(events)}


def warm_up() -> None:
    """Import what checking needs, whatever it finds."""
    every = {
        "scheduler": "{_type_: sched_factory.warmup_cosine}",
        "lss": "{}",
        "x-a": "${x-b}",
        "x-c": "${env:int:X,y}",
    }
    Path("warm-up.yaml").write_text(experiment(**every))
    Path("right.yaml").write_text(experiment())
    Path("broken.yaml").write_text("a: [\n")
    for file in ("right.yaml", "warm-up.yaml", "broken.yaml", "missing.yaml"):
        for style in STYLES:
            check(file, style)


if __name__ == "__main__":
    report, *arguments = sys.argv[1:]
    options = [argument for argument in arguments if argument.startswith("--")]
    warm_up()
    sys.addaudithook(hook)
    results = {file: [check(file, style, *options) for style in STYLES] for file in arguments if file not in options}
    Path(report).write_text(json.dumps(results))
