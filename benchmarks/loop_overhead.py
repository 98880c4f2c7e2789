"""What a training step costs beside a hand-written loop, ours and our peers', interleaved in one process.

    python benchmarks/loop_overhead.py [--rounds 15] [--epochs 2] [--only "offline trainer"] [--json FILE]

A ratio is the median over rounds of (contender / hand-written loop of the same round); one thread, process CPU time.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import sys
from pathlib import Path
from statistics import median

import torch
from loop_peers import CONTENDERS, EPOCH

RAW = "hand-written loop"


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # the peers say a lot when they start
    names, skipped = available(arguments.only)
    seconds = measure(names, arguments.rounds, arguments.epochs * EPOCH)
    table = {
        name: {
            "us_per_step": 1e6 * median(seconds[name]) / (arguments.epochs * EPOCH),
            "of_raw": median(mine / raw for mine, raw in zip(seconds[name], seconds[RAW], strict=True)),
        }
        for name in names
    }
    print_table(table, skipped, arguments)
    if arguments.json:
        setting = {"python": platform.python_version(), "torch": torch.__version__, **vars(arguments), "json": None}
        arguments.json.write_text(json.dumps({"setting": setting, "contenders": table, "skipped": skipped}, indent=2))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--epochs", type=int, default=2, help=f"passes of {EPOCH} steps in each round")
    parser.add_argument("--only", action="append", default=[], help="a contender beside the hand-written loop")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def available(only: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the contenders that run here, warmed up by a short run, and why the others do not."""
    names, skipped = [], {}
    for name, train in CONTENDERS.items():
        if only and name not in (RAW, *only):
            continue
        try:
            train(EPOCH)
        except ImportError as error:
            skipped[name] = f"{error.name} is not installed"
        else:
            names.append(name)
    return names, skipped


def measure(names: list[str], rounds: int, steps: int) -> dict[str, list[float]]:
    """Return the CPU seconds of every contender in every round; who goes first changes from round to round."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for round_number in range(rounds):
        shift = round_number % len(names)
        for name in names[shift:] + names[:shift]:
            seconds[name].append(CONTENDERS[name](steps))
        print(f"\rround {round_number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return seconds


def print_table(table: dict[str, dict[str, float]], skipped: dict[str, str], arguments: argparse.Namespace) -> None:
    steps = arguments.epochs * EPOCH
    print(f"MLP 32-64-16, batch 32, fused AdamW, {arguments.rounds} rounds of {steps} steps, one thread")
    for name, row in table.items():
        print(f"  {name:36}{row['us_per_step']:8.0f} us per step{row['of_raw']:8.3f} of raw")
    for name, reason in skipped.items():
        print(f"  {name:36}    skipped: {reason}")


if __name__ == "__main__":
    main()
