"""Whether an exported policy acts as the policy that was exported, measured in a process that has nothing else of it.

`python -m offline_trainer_core.deploy.parity EXPORT SAMPLES` is that process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offline_trainer_core.deploy.loading import load_policy
from offline_trainer_core.errors import ComponentError, OfflineTrainerError, format_error_with_context
from offline_trainer_core.record.codec import Decoder, Encoder
from offline_trainer_core.record.files import FileReader
from offline_trainer_core.record.tensors import read_tensors, write_tensors

__all__ = ["TOLERANCE", "measure_parity", "write_samples"]

TOLERANCE = 1e-5
"""How far an exported policy may act from the original; relative to its largest action where that exceeds 1."""
_TENSORS, _STRUCTURE = "samples.safetensors", "samples.json"
_PARITY = "parity.json"


def write_samples(folder: Path, samples: Mapping[str, Any]) -> None:
    """Write what a policy was given and what it did: batch size → `(observation, noise, action)`."""
    encoder = Encoder("samples")
    (folder / _STRUCTURE).write_text(json.dumps(encoder.encode(dict(samples))))
    write_tensors(folder / _TENSORS, encoder.tensors)


def measure_parity(export: Path, samples: Path) -> dict[str, float]:
    """Let a fresh process load the export and act on the samples; return the largest difference by batch size.

    Raises `ComponentError` where it cannot.
    """
    command = [sys.executable, "-m", __name__, str(export), str(samples)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip() or f"it ended with exit code {done.returncode}"
        raise ComponentError(f"what was written cannot be used in a process of its own:\n{said[-2000:]}")
    parity: dict[str, float] = json.loads((samples / _PARITY).read_text())
    return parity


def _measured(export: Path, samples: Path) -> dict[str, float]:
    policy = load_policy(export, trust_code=True)  # it was written a moment ago
    with FileReader(samples / _TENSORS, _TENSORS) as reader:
        tensors = read_tensors(reader)
    content = Decoder(tensors).decode(json.loads((samples / _STRUCTURE).read_text()))
    return {
        size: _difference(policy(observation, noise), action) for size, (observation, noise, action) in content.items()
    }


def _difference(mine: Any, theirs: Any) -> float:
    if mine.shape != theirs.shape:
        raise ComponentError(f"its actions have the shape {tuple(mine.shape)}, and not {tuple(theirs.shape)}")
    return float((mine - theirs).abs().max() / theirs.abs().max().clamp(min=1.0))


def _main() -> int:
    try:
        export, samples = map(Path, sys.argv[1:])
        (samples / _PARITY).write_text(json.dumps(_measured(export, samples)))
    except OfflineTrainerError as error:
        sys.stderr.write(format_error_with_context(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(_main())
