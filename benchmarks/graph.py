"""What a graph model costs beside the same module written by hand: eager, forward alone, interleaved in one process.

    python benchmarks/graph.py [--rounds 61] [--json FILE]

A ratio is the median over rounds of (graph / hand-written module of the same round); one thread, process CPU time.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ot_policy_constructor import build_model

ROUND = 20_000_000
"""Nanoseconds that one module is called for in one round."""


class Contender(NamedTuple):
    """A model twice, and what it is called with."""

    graph: nn.Module
    by_hand: nn.Module
    inputs: Mapping[str, Tensor]


class Empty(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x


class Critic(nn.Module):
    """Six modules: two encoders, a gate, two layers of a trunk, a head."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.state = nn.Linear(width, width)
        self.action = nn.Linear(width, width)
        self.norm = nn.LayerNorm(2 * width)
        self.trunk = nn.Linear(2 * width, width)
        self.activation = nn.ReLU()
        self.head = nn.Linear(width, 2)

    def forward(self, state: Tensor, action: Tensor) -> dict[str, Tensor]:
        both = torch.cat([self.state(state), self.action(action)], -1)
        features = self.activation(self.trunk(self.norm(both)))
        mean, log_std = self.head(features).chunk(2, -1)
        return {"mean": mean, "log_std": log_std.clamp(-5.0, 2.0)}


def critic(width: int) -> dict[str, Any]:
    """Return `Critic` as a graph."""
    linear = {"_type_": "nn.Linear", "in_features": width, "out_features": width}
    return {
        "inputs": ["state", "action"],
        "modules": {
            "state": linear,
            "action": linear,
            "norm": {"_type_": "nn.LayerNorm", "normalized_shape": 2 * width},
            "trunk": linear | {"in_features": 2 * width},
            "activation": {"_type_": "nn.ReLU"},
            "head": linear | {"out_features": 2},
        },
        "steps": [
            {"call": "module:state", "args": ["$state"], "out": "s"},
            {"call": "module:action", "args": ["$action"], "out": "a"},
            {"call": "op:cat", "args": [["$s", "$a"]], "out": "both"},
            {"call": "module:norm", "args": ["$both"], "out": "normed"},
            {"call": "module:trunk", "args": ["$normed"], "out": "mixed"},
            {"call": "module:activation", "args": ["$mixed"], "out": "features"},
            {"call": "module:head", "args": ["$features"], "out": "parameters"},
            {"call": "op:chunk", "args": ["$parameters", 2], "out": ["mean", "raw"]},
            {"call": "op:clamp", "args": ["$raw", -5.0, 2.0], "out": "log_std"},
        ],
        "outputs": {"mean": "$mean", "log_std": "$log_std"},
    }


def contenders() -> dict[str, Contender]:
    empty = {"inputs": ["x"], "steps": [], "outputs": ["$x"]}
    found = {"no module": Contender(built(empty), Empty(), {"x": torch.zeros(1)})}
    for width, rows in ((8, 1), (64, 32), (256, 256), (512, 256)):
        inputs = {name: torch.randn(rows, width) for name in ("state", "action")}
        title = f"6 modules, width {width}, batch {rows}"
        found[title] = Contender(built(critic(width)), Critic(width), inputs)
    return found


def built(graph: Mapping[str, Any]) -> nn.Module:
    return build_model({"schema_version": 1, "model": {"graph": graph}})


def measure(contender: Contender, rounds: int) -> dict[str, float]:
    """Return the median microseconds of both, and of their ratio; who goes first changes from round to round."""
    contender.by_hand.load_state_dict(contender.graph.state_dict())
    calls = max(1, int(ROUND / nanoseconds(contender.by_hand, contender.inputs, 100)))
    modules = (contender.graph, contender.by_hand)
    spent: tuple[list[float], list[float]] = ([], [])
    nanoseconds(contender.graph, contender.inputs, calls)
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            spent[which].append(nanoseconds(modules[which], contender.inputs, calls))
    ratio = median(ours / theirs for ours, theirs in zip(*spent, strict=True))
    return {"graph_us": median(spent[0]) / 1e3, "by_hand_us": median(spent[1]) / 1e3, "ratio": ratio}


def nanoseconds(module: Callable[..., Any], inputs: Mapping[str, Tensor], calls: int) -> float:
    begin = time.process_time_ns()
    for _ in range(calls):
        module(**inputs)
    return (time.process_time_ns() - begin) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=61)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        table = {title: measure(contender, arguments.rounds) for title, contender in contenders().items()}
    print(f"forward, eager, one thread, {arguments.rounds} rounds")
    for title, row in table.items():
        print(f"  {title:34}{row['graph_us']:10.2f} us{row['by_hand_us']:10.2f} us by hand{row['ratio']:8.3f}")
    if arguments.json:
        setting = {"python": platform.python_version(), "torch": torch.__version__, "rounds": arguments.rounds}
        arguments.json.write_text(json.dumps({"setting": setting, "contenders": table}, indent=2))


if __name__ == "__main__":
    main()
