"""The blocks of ot-policy-constructor under the algorithms, from a configuration to a policy that acts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from offline_trainer_core import RunResult, load_policy, run

FRAME = """
schema_version: 1
run: {out_dir: runs, device: cpu, seed: 0}
data:
  _type_: data.episodes
  path: demonstrations.npz
  fields: {state: state, action: action}
  history: 1
  chunk: 4
  batch_size: 64
normalize: {state: mean_std, action: min_max}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.01}}
trainer: {_type_: trainer.default, log_every_n_steps: 1}
"""
TRUNK = """
inputs: [state]
modules:
  flat: {_type_: nn.Flatten}
  trunk: {_type_: block.mlp, dims: [null, 32, 16]}
steps:
  - {call: module:flat, args: [$state], out: flat}
  - {call: module:trunk, args: [$flat], out: features}
outputs: [$features]
"""
STYLE = """
inputs: [actions, padding_mask]
modules:
  tokens: {_type_: nn.Linear, in_features: 2, out_features: 16}
  encoder: {_type_: block.transformer_encoder, dim: 16, depth: 1, heads: 2}
  narrow: {_type_: nn.Linear, in_features: 16, out_features: 8}
steps:
  - {call: module:tokens, args: [$actions], out: tokens}
  - {call: module:encoder, args: [$tokens, $padding_mask], out: encoded}
  - {call: op:mean, args: [$encoded], kwargs: {dim: 1}, out: whole}
  - {call: module:narrow, args: [$whole], out: style}
outputs: [$style]
"""
DECODER = """
inputs: [latent, state]
modules:
  flat: {_type_: nn.Flatten}
  net: {_type_: block.mlp, dims: [null, 32, 8]}
  chunk: {_type_: nn.Unflatten, dim: 1, unflattened_size: [4, 2]}
steps:
  - {call: module:flat, args: [$state], out: flat}
  - {call: op:cat, args: [[$latent, $flat]], kwargs: {dim: -1}, out: both}
  - {call: module:net, args: [$both], out: numbers}
  - {call: module:chunk, args: [$numbers], out: actions}
outputs: [$actions]
"""
EXPERTS = """
inputs: [state]
modules:
  flat: {_type_: nn.Flatten}
  trunk: {_type_: block.mlp, dims: [null, 16]}
  codes: {_type_: block.vq_codebook, dim: 16, codes: 8}
  experts: {_type_: block.mixture_of_experts, dims: [16, 16, 8], experts: 4}
  chunk: {_type_: nn.Unflatten, dim: 1, unflattened_size: [4, 2]}
steps:
  - {call: module:flat, args: [$state], out: flat}
  - {call: module:trunk, args: [$flat], out: features}
  - {call: module:codes, args: [$features], out: {quantized: token, commitment_loss: commitment}}
  - {call: module:experts, args: [$token], out: {output: numbers, load_balancing_loss: balance, router_z_loss: z}}
  - {call: module:chunk, args: [$numbers], out: actions}
outputs: {actions: $actions, commitment_loss: $commitment, load_balancing_loss: $balance, router_z_loss: $z}
"""
HEADS = {
    "deterministic_head": {},
    "gaussian_head": {},
    "tanh_gaussian_head": {},
    "mixture_head": {"components": 2},
    "categorical_head": {"bins": 32},
}
NETWORKS = {
    "action_transformer": {"horizon": 4, "dim": 16, "depth": 1, "heads": 2, "tokens_dim": 16},
    "temporal_unet": {"widths": [8, 16], "groups": 4, "time_dim": 8},
}


def graph(text: str) -> dict[str, Any]:
    return {"graph": yaml.safe_load(text)}


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunResult]:
    """Return a function that trains components with an algorithm on actions that follow from the state."""
    monkeypatch.chdir(tmp_path)
    state = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32).repeat(5, axis=0)
    action = np.tanh(state[:, :2] - state[:, 2:])
    np.savez("demonstrations.npz", state=state, action=action, episode_ends=np.arange(5, 501, 5))

    def start(components: dict[str, Any], algorithm: dict[str, Any], steps: int, name: str = "learning") -> RunResult:
        config = {**yaml.safe_load(FRAME), "model": {"components": components}, "algorithm": algorithm}
        return run(config, [f"+run.name={name}_{steps}", f"+trainer.max_steps={steps}"])

    return start


def assert_learns(train: Callable[..., RunResult], components: dict[str, Any], algorithm: dict[str, Any]) -> None:
    """Training lowers the loss on held-out episodes, and what was trained acts."""
    once, often = (train(components, algorithm, steps) for steps in (1, 60))
    assert often.metrics["val/loss"] < once.metrics["val/loss"] - 0.05
    policy = load_policy(often.dir)
    actions = policy({"state": torch.randn(5, 1, 3)})
    assert actions.shape == (5, 4, 2)
    assert bool(actions.isfinite().all())


@pytest.mark.parametrize("head", list(HEADS))
def test_behaviour_is_cloned_with_every_head(train: Any, head: str) -> None:
    network = graph(TRUNK)
    network["graph"]["modules"]["head"] = {"_type_": f"block.{head}", "action_shape": [4, 2], **HEADS[head]}
    network["graph"]["steps"].append({"call": "module:head", "args": ["$features"], "out": "parameters"})
    network["graph"]["outputs"] = ["$parameters"]
    loss = "l1" if head == "deterministic_head" else "nll"
    assert_learns(train, {"policy": network}, {"_type_": "algo.bc", "loss": loss})


@pytest.mark.parametrize("algorithm", ["flow_matching", "diffusion"])
@pytest.mark.parametrize("network", list(NETWORKS))
def test_chunks_are_sampled_with_either_network(train: Any, network: str, algorithm: str) -> None:
    condition = "tokens" if network == "action_transformer" else "context"
    encoder = graph(TRUNK)
    if condition == "tokens":
        encoder["graph"]["steps"].append({"call": "op:unsqueeze", "args": ["$features", 1], "out": "token"})
        encoder["graph"]["outputs"] = ["$token"]
    components = {"encoder": encoder, "decoder": {"_type_": f"block.{network}", "action_dim": 2, **NETWORKS[network]}}
    context = {condition: {"model": "encoder", "inputs": {"state": "state"}}}
    steps = {"steps": 3} if algorithm == "flow_matching" else {"sampling_steps": 3}
    chosen = {"_type_": f"algo.{algorithm}", "network": "decoder", "action_shape": [4, 2], "context": context, **steps}
    assert_learns(train, components, chosen)


def test_a_transformer_encodes_the_style_of_a_demonstration(train: Any) -> None:
    components = {"style": graph(STYLE), "decoder": graph(DECODER)}
    chosen = {"network": "decoder", "style_encoder": "style", "latent_dim": 4, "context": {"state": "state"}}
    assert_learns(train, components, {"_type_": "algo.act", **chosen})


def test_losses_of_experts_and_codes_reach_the_loss(train: Any) -> None:
    weights = {"commitment_loss": 0.5, "load_balancing_loss": 2.0, "router_z_loss": 0.1}
    plain, added, twice = (
        train({"policy": graph(EXPERTS)}, {"_type_": "algo.bc", "auxiliary": auxiliary}, 1, name).metrics
        for name, auxiliary in (("plain", {}), ("added", weights), ("twice", {n: 2 * w for n, w in weights.items()}))
    )
    losses = {name: added[f"train/{name}"] for name in weights}
    assert min(losses.values()) > 0
    assert added["train/loss"] == pytest.approx(plain["train/loss"] + sum(losses.values()))
    assert {name: twice[f"train/{name}"] for name in weights} == pytest.approx({n: 2 * x for n, x in losses.items()})
