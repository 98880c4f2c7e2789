"""Starts `ot` in processes that find torch imported.

A line of JSON in: `{"arguments": [...], "folder": path, "environment": {...}, "stdout": path, "stderr": path}`. Two
lines out for each: the process, and its exit code when it has ended.
"""

import atexit
import json
import os
import sys

import torch

import offline_trainer_core.build
import offline_trainer_core.cli.run
import offline_trainer_core.engine
from offline_trainer_core.cli import main

IMPORTED = (torch, offline_trainer_core)
torch.optim.AdamW(torch.nn.Linear(1, 1).parameters()).step()  # the first of a process imports half of torch


def child(order: dict) -> None:
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    files = {0: os.devnull, 1: order["stdout"], 2: order["stderr"]}
    for number, path in files.items():
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
    sys.argv = ["ot", *order["arguments"]]
    try:
        main()
    except SystemExit as end:  # without the half second in which all of torch is taken down
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code or 0)


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        child(json.loads(line))
    say(pid)
    say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
