"""What `ot` costs before it does anything: whole processes beside the libraries that they cannot do without.

    python benchmarks/startup.py [--rounds 20] [--json FILE]

A ratio is the median over rounds of (command / its reference in the same round); wall time of the process. `ot check`
reads an experiment of 300 lines in five files, and 200 distributions more than there are lie on the path.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

EXPERIMENT = Path(__file__).with_name("check") / "experiment.yaml"
DISTRIBUTIONS = 200
OT = (sys.executable, "-m", "offline_trainer_core")
# Each command, and the imports it is compared with.
COMMANDS = {
    "ot --help": ((*OT, "--help"), "import click"),
    "ot check": ((*OT, "check", str(EXPERIMENT)), "import yaml, click"),
    "ot components": ((*OT, "components"), "import click, importlib_metadata"),
    "ot info": ((*OT, "info", "trainer.default"), "import click, importlib_metadata, ast"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        install_others(Path(folder))
        path = filter(None, [os.environ.get("PYTHONPATH"), folder])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages have their byte code
        table = {name: compare(*command, arguments.rounds, environment) for name, command in COMMANDS.items()}
    for name, row in table.items():
        print(f"  {name:16}{1e3 * row['seconds']:7.0f} ms   {row['ratio']:5.2f} of `{row['reference']}`")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=2))


def install_others(folder: Path) -> None:
    """Write the metadata of distributions that have nothing to do with us; half of them have entry points."""
    for number in range(DISTRIBUTIONS):
        info = folder / f"other_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: other-{number}\nVersion: 1.0\n")
        if number % 2:
            (info / "entry_points.txt").write_text(f"[console_scripts]\nother-{number} = other_{number}:main\n")


def compare(command: tuple[str, ...], reference: str, rounds: int, environment: dict[str, str]) -> dict[str, object]:
    """Return the median seconds of `command`, and its ratio to a process that only imports `reference`."""
    ours, theirs = [], []
    seconds(command, environment)  # the first round would write byte code
    for _ in range(rounds):
        ours.append(seconds(command, environment))
        theirs.append(seconds((sys.executable, "-c", reference), environment))
    ratio = median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return {"seconds": median(ours), "reference": reference, "ratio": ratio}


def seconds(command: tuple[str, ...], environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
