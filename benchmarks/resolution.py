"""What it costs to resolve a configuration with every place and the whole history kept, beside parsing it only.

    python benchmarks/resolution.py [--rounds 50] [--json FILE]

1,000 lines of YAML in one file, once plain and once with templates and interpolations. A ratio is the median over
rounds of (resolution / PyYAML's C loader on the same text in the same round). OmegaConf, which keeps no places, is
measured beside them where it is installed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import yaml

from offline_trainer_core.config import resolve_config

LAYER = """  - name: layer{0}
    _type_: block.mlp
    dims: [256, 512, 256]
    activation: GELU
    dropout: 0.1
    options:
      bias: true
      eps: 1.0e-05
      tags: [a, "b", c]
    note: the layer number {0}
"""
REFERRING = """  - name: layer{0}
    _template_: layer
    dims: ["${{params.width}}", 512, 256]
    activation: ${{params.activation}}
    dropout: 0.1
    options:
      bias: true
      eps: 1.0e-05
      tags: [a, "b", c]
    note: the layer number {0}
"""
HEAD = "params: {width: 256, activation: GELU}\ntemplates:\n  layer: {_type_: block.mlp, init: orthogonal}\nlayers:\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    texts = {"plain": text_of(LAYER), "referring": text_of(REFERRING)}
    table = {name: measure(text, arguments.rounds) for name, text in texts.items()}
    for name, row in table.items():
        shown = ", ".join(f"{reader} {ratio:.2f}" for reader, ratio in row.items())
        print(f"  {name:10} of PyYAML's C loader: {shown}")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=2))


def text_of(layer: str) -> str:
    """Return 1,000 lines of configuration."""
    return HEAD + "".join(layer.format(number) for number in range(100))


def measure(text: str, rounds: int) -> dict[str, float]:
    """Return the ratio of every reader to PyYAML's C loader, all of them interleaved."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sample.yaml"
        file.write_text(text)
        readers: dict[str, Callable[[], object]] = {"ours": lambda: resolve_config(file), **peers(file)}
        ratios: dict[str, list[float]] = {name: [] for name in readers}
        for _ in range(rounds):
            parsing = seconds(lambda: yaml.load(file.read_text(), Loader=yaml.CSafeLoader))
            for name, reader in readers.items():
                ratios[name].append(seconds(reader) / parsing)
    return {name: median(values) for name, values in ratios.items()}


def peers(file: Path) -> dict[str, Callable[[], object]]:
    try:
        from omegaconf import OmegaConf
    except ImportError:
        return {}
    return {"OmegaConf": lambda: OmegaConf.to_container(OmegaConf.load(file), resolve=True)}


def seconds(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
