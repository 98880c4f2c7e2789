"""Loads what it is given under an audit hook: `python audited_loading.py REPORT safely|carelessly PATH...`.

Writes, for each path and each way to load it, how that ended and every event that loading data must not cause. What
loading imports is imported before, by loading the first path, which is a sound checkpoint.
"""

import json
import logging
import sys
from pathlib import Path

import torch

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record import CheckpointStore, load_checkpoint, load_weights

FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove", "os.rename", "os.mkdir", "subprocess.")
FORBIDDEN += ("socket.", "ctypes.dlopen", "pickle.find_class", "shutil.", "exec", "compile", "import", "webbrowser.")

events: list[str] = []
watching = False


def hook(event, args):
    if not watching:
        return
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if writes or event.startswith(FORBIDDEN):
        events.append(f"{event} {args!r}"[:200])


def at_once(path: str):
    return load_checkpoint(Path(path))


def from_a_store(path: str):
    return CheckpointStore(Path(path).parent).load(Path(path).name)


def as_weights(path: str):
    return load_weights(path)


def carelessly(path: str):
    return torch.load(path, weights_only=False)


def outcome(load, path: str) -> dict:
    global watching
    events.clear()
    watching = True
    try:
        load(path)
        ended = "loaded"
    except CheckpointError as error:
        ended = "refused" if str(error) else "refused without a word"
    except BaseException as error:
        ended = f"{type(error).__name__}: {error}"[:200]
    finally:
        watching = False
    return {"ended": ended, "events": list(events)}


def highest_memory() -> int:
    """Return the most memory that this process ever had, in KiB; `getrusage` counts the parent's too."""
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))


if __name__ == "__main__":
    report, manner, sound, *paths = sys.argv[1:]
    logging.disable()
    loaders = [carelessly] if manner == "carelessly" else [at_once, from_a_store, as_weights]
    torch.save({"w": torch.ones(1)}, Path(report).with_name("warm-up.pt"))
    for warm_up in (at_once, from_a_store, as_weights):
        outcome(warm_up, sound)
        outcome(warm_up, str(Path(report).with_name("warm-up.pt")))
    sys.addaudithook(hook)
    before = highest_memory()
    results = {path: {load.__name__: outcome(load, path) for load in loaders} for path in (sound, *paths)}
    grown = highest_memory() - before
    Path(report).write_text(json.dumps({"results": results, "grown_kib": grown}))
