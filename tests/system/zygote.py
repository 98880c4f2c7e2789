"""Starts `ot` in processes that find torch imported.

A line of JSON in: `{"arguments": [...], "environment": {...}, "output": path}`. Two lines out for each: the process,
and its exit code when it has ended.
"""

import json
import os
import sys

import torch

import offline_trainer_core.build
import offline_trainer_core.cli.run
import offline_trainer_core.engine
from offline_trainer_core.cli import main

IMPORTED = (torch, offline_trainer_core)


def child(order: dict) -> None:
    os.environ.update(order["environment"])
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["ot", *order["arguments"]]
    main()


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        child(json.loads(line))
    say(pid)
    say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
