"""Kills runs and shows that nothing is lost: `python tests/torture/run.py --kills 200 --seed 0`.

Half of the kills come at random instants, half at named points, on one process and on two, with and without workers
that load the data. Each run is started again by the same command until it is finished, and everything that it saved and
logged is compared with what a run has that nobody killed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("planted")))

from campaign import Campaign
from controls import all_effects
from points import POINTS
from report import HITS, as_json, as_text, failures
from schedule import draw_deaths, shared_out


def torture(kills: int, seed: int, folder: Path, side_by_side: int) -> tuple[list[Campaign], dict[str, str]]:
    """Carry out `kills` kills, and the controls."""
    campaigns = [
        Campaign(configuration, draw_deaths(configuration, points, instants, seed), folder)
        for configuration, (points, instants) in shared_out(kills).items()
    ]
    with ThreadPoolExecutor(side_by_side) as pool:
        killing = [pool.submit(campaign.carry_out, say) for campaign in campaigns]
        controls = pool.submit(all_effects, folder / "controls")
        for done in killing:
            done.result()
        return campaigns, controls.result()


def say(line: str) -> None:
    print(f"{time.monotonic() - BEGAN:6.0f} s  {line}", flush=True)


BEGAN = time.monotonic()

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side-by-side", type=int, default=2, help="how many runs are alive at a time")
    parser.add_argument("--folder", type=Path, help="where to leave the runs; by default they are removed")
    parser.add_argument("--json", type=Path, help="where to write everything that was found")
    given = parser.parse_args()
    hits = HITS if given.kills // 2 >= HITS * len(POINTS) else 0
    with tempfile.TemporaryDirectory(prefix="torture-") as folder:
        found = torture(given.kills, given.seed, given.folder or Path(folder), given.side_by_side)
    print(f"\n{as_text(*found, hits)}\n\n{time.monotonic() - BEGAN:.0f} s")
    if given.json:
        given.json.write_text(json.dumps(as_json(*found, hits), indent=1))
    sys.exit(1 if failures(*found, hits) else 0)
