"""What `ot` costs before it does anything: whole processes beside the libraries that they cannot do without.

    python benchmarks/startup.py [--rounds 20] [--json FILE]

A ratio is the median over rounds of (command / its reference in the same round); wall time of the process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

CONFIGURATION = Path(__file__).with_name("startup.yaml")
OT = (sys.executable, "-m", "offline_trainer_core")
# Each command, and the imports it is compared with.
COMMANDS = {
    "ot --help": ((*OT, "--help"), "import click"),
    "ot check": ((*OT, "check", str(CONFIGURATION)), "import yaml, click"),
    "ot components": ((*OT, "components"), "import click, importlib_metadata"),
    "ot info": ((*OT, "info", "trainer.default"), "import click, importlib_metadata, ast"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    table = {name: compare(*command, arguments.rounds) for name, command in COMMANDS.items()}
    for name, row in table.items():
        print(f"  {name:16}{1e3 * row['seconds']:7.0f} ms   {row['ratio']:5.2f} of `{row['reference']}`")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=2))


def compare(command: tuple[str, ...], reference: str, rounds: int) -> dict[str, object]:
    """Return the median seconds of `command`, and its ratio to a process that only imports `reference`."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(seconds(command))
        theirs.append(seconds((sys.executable, "-c", reference)))
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return {"seconds": median(ours), "reference": reference, "ratio": ratio}


def seconds(command: tuple[str, ...]) -> float:
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
