"""Tries many inputs of one target in this process, in a folder of its own; `run.py` starts it and watches over it.

    python worker.py TARGET INPUTS SEED FOLDER

Guided by coverage where atheris is installed and the target takes bytes as they are, by chance elsewhere. Leaves in
FOLDER/found what went wrong, a folder for each kind and each place, and in FOLDER/count how many inputs were tried. An
input that ends this process is still in FOLDER/here.
"""

from __future__ import annotations

import faulthandler
import importlib.util
import os
import random
import re
import resource
import shutil
import sys
from pathlib import Path
from zlib import crc32

COVERAGE = importlib.util.find_spec("atheris") is not None
MEMORY = 4 * 1024**3
LONGEST = 4096
"""Bytes of an input; larger ones are the malicious corpus's part."""


def main(target: str, inputs: int, seed: int, folder: Path) -> None:
    """Try `inputs` inputs of `target`, then end this process."""
    guided = COVERAGE and target == "text"
    if guided:
        import atheris

        with atheris.instrument_imports(include=["offline_trainer_core"]):
            import offline_trainer_core.cli.check
            import offline_trainer_core.config  # noqa: F401
    import targets
    from trial import one_registry

    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    (folder / "here").mkdir(parents=True, exist_ok=True)
    os.chdir(folder / "here")
    attempt = _Counted(targets.TARGETS["mutated" if target == "text" and not guided else target], folder, inputs)
    with one_registry():
        if guided:
            corpus = folder / "corpus"
            corpus.mkdir(exist_ok=True)
            for number, text in enumerate(targets.seeds()):
                (corpus / str(number)).write_bytes(text)
            options = [f"-seed={seed or 1}", f"-max_len={LONGEST}", "-timeout=300", "-rss_limit_mb=0", "-verbosity=0"]
            atheris.Setup([sys.argv[0], *options, str(corpus)], attempt)
            targets.LIMIT *= 3  # code that is observed takes longer
            atheris.Fuzz()
        chance = random.Random(seed)
        while True:
            attempt(chance.randbytes(LONGEST if target == "config" else 16))


class _Counted:
    """Tries an input, keeps what went wrong, and ends the process after the last."""

    def __init__(self, attempt, folder: Path, inputs: int) -> None:
        self.attempt = attempt
        self.folder = folder
        self.left = inputs
        self.tried = 0

    def __call__(self, data: bytes) -> None:
        for file in os.scandir():
            os.unlink(file)
        for fault, screen in self.attempt(data):
            self.keep(fault, screen)
        self.tried += 1
        if self.tried % 100 == 0 or self.tried == self.left:
            (self.folder / "count").write_text(str(self.tried))
        if self.tried == self.left:
            os._exit(0)  # libFuzzer has no other end

    def keep(self, fault: str, screen: str) -> None:
        """Keep the first input of every kind of fault at every place."""
        place = crc32("".join(re.findall(r'File ".*', screen)[-2:]).encode()) if fault == "traceback" else 0
        kept = self.folder / "found" / f"{fault}-{place:08x}"
        if not kept.exists():
            shutil.copytree(Path(), kept)
            (kept / "screen.txt").write_text(screen, encoding="utf-8")
        with (kept / "times").open("a") as times:
            times.write(".")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]).resolve())
