"""What is fuzzed: bytes as the text of a configuration, and bytes as the choices that make one of the strategies'."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from hypothesis import HealthCheck, given, settings
from malicious import MALICIOUS
from strategies import Written, mutated, written_configurations
from trial import STYLES, Trial, check, faults

__all__ = ["TARGETS", "Attempt", "Fault", "seeds"]

Fault = tuple[str, str]
"""What went wrong, and what was on the screen."""
Attempt = Callable[[bytes], list[Fault]]
"""Tries one input in the working folder, where its files are left, and returns what went wrong."""

_REPOSITORY = Path(__file__).parents[2]
_YAML_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
LIMIT = 1.0
"""Seconds of computing that an input may take."""
_LARGE = 20_000


def seeds() -> list[bytes]:
    """Return the examples, the YAML of the documentation, and the malicious texts of ordinary size."""
    examples = [path.read_bytes() for path in sorted(_REPOSITORY.glob("examples/**/*.yaml"))]
    pages = [path.read_text(encoding="utf-8") for path in sorted(_REPOSITORY.glob("docs/**/*.md"))]
    blocks = [block.encode() for page in pages for block in _YAML_BLOCK.findall(page)]
    hostile = [text if isinstance(text, bytes) else text.encode() for text in MALICIOUS.values()]
    return [text for text in (*examples, *blocks, *hostile) if len(text) < _LARGE]


def try_text(data: bytes) -> list[Fault]:
    """Check a file with these very bytes."""
    Path("exp.yaml").write_bytes(data)
    return _faults(check("exp.yaml", style=STYLES[crc32(data) % len(STYLES)]))


def try_mutated(data: bytes) -> list[Fault]:
    """Check a file made from a seed by changes that `data` chooses: where nothing guides the bytes themselves."""
    return try_text(mutated(_SEEDS, random.Random(data)))


def try_written(written: Written) -> list[Fault]:
    """Check a configuration of the strategies, and whether it is taken for what it is."""
    for name, text in written.files.items():
        Path(name).write_text(text, encoding="utf-8", errors="surrogatepass")
    if written.overrides or written.env:  # so that what went wrong can be tried again
        Path("typed.txt").write_text(repr((written.overrides, written.env)), encoding="utf-8", errors="surrogatepass")
    style = STYLES[crc32(repr(written).encode("utf-8", "surrogatepass")) % len(STYLES)]
    return _faults(check("exp.yaml", written.overrides, written.env, style), written.right)


def try_choices(data: bytes) -> list[Fault]:
    """Check the configuration that the strategies make of these choices."""
    found: list[Fault] = []

    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(written_configurations())
    def take(written: Written) -> None:
        found.extend(try_written(written))

    take.hypothesis.fuzz_one_input(data)
    return found


def _faults(trial: Trial, right: bool | None = None) -> list[Fault]:
    return [(fault, trial.screen) for fault in faults(trial, right=right, limit=LIMIT)]


_SEEDS = seeds()
TARGETS: dict[str, Attempt] = {"text": try_text, "mutated": try_mutated, "config": try_choices}
