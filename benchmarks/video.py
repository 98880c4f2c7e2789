"""How fast `data.lerobot` reads camera frames beside a plain sequential decode by PyAV, interleaved in one process.

    python benchmarks/video.py RECORDING [--camera NAME] [--rounds 7] [--frames 256] [--json FILE]

Ours read shuffled single frames, as training does; the plain decode reads frames one after the other, which no shuffled
order can. A ratio is the median over rounds of (our frames per second / those of the plain decode of the same round).
One thread each, no workers, process CPU time.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import av
import torch

from ot_builtins.data.lerobot.module import LeRobot

PLAIN = "plain PyAV, in order"
BATCH = 32


def main() -> None:
    arguments = parse_arguments()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        readers = {PLAIN: plain(arguments)} | {
            f"cache: {cache}, shuffled": shuffled(arguments, cache, Path(folder))
            for cache in ("none", "disk", "memory")
        }
        speeds = measure(readers, arguments.rounds, arguments.frames)
    table = {
        name: {
            "frames_per_s": median(mine),
            "of_plain": median(ours / theirs for ours, theirs in zip(mine, speeds[PLAIN], strict=True)),
        }
        for name, mine in speeds.items()
    }
    for name, row in table.items():
        print(f"  {name:28}{row['frames_per_s']:10.0f} frames/s{row['of_plain']:10.2f} of plain")
    if arguments.json:
        setting = {"python": platform.python_version(), "av": av.__version__, **vars(arguments)}
        arguments.json.write_text(json.dumps({"setting": setting, "readers": table}, indent=2, default=str))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("--camera", default="observation.images.cam_high")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=256, help="frames that each reads in a round")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def plain(arguments: argparse.Namespace) -> Callable[[int], int]:
    """Return a function that decodes that many frames, one video after the other."""

    def frames() -> Iterator[object]:
        for file in sorted(arguments.recording.glob(f"videos/*/{arguments.camera}/*.mp4")):
            with av.open(str(file)) as container:
                container.streams.video[0].codec_context.thread_count = 1
                for frame in container.decode(video=0):
                    yield frame.to_ndarray(format="rgb24")

    return lambda count: sum(1 for _ in islice(frames(), count))


def shuffled(arguments: argparse.Namespace, cache: str, folder: Path) -> Callable[[int], int]:
    """Return a function that reads that many frames in shuffled batches, each time another epoch's."""
    fields = {"image": arguments.camera}
    options = {"history": 1, "chunked": (), "validation": 0.0, "cache": cache, "cache_dir": folder}
    module = LeRobot(arguments.recording, fields, BATCH, video_backend="pyav", **options)
    module.place(seed=0, rank=0, world_size=1, device=torch.device("cpu"))
    module.setup("fit")
    loader = module.train_dataloader()
    epochs = iter(range(1 << 30))

    def read(count: int) -> int:
        loader.set_epoch(next(epochs))
        return sum(len(batch["image"]) for batch in islice(loader, count // BATCH))

    return read


def measure(readers: dict[str, Callable[[int], int]], rounds: int, frames: int) -> dict[str, list[float]]:
    """Return the frames per CPU second of every reader in every round; who goes first changes from round to round."""
    names = list(readers)
    speeds: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        readers[name](BATCH)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            begin = time.process_time()
            read = readers[name](frames)
            speeds[name].append(read / (time.process_time() - begin))
    return speeds


if __name__ == "__main__":
    main()
