"""Small policies of every form, on data that is made here."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

CAMERA = {"sequential": {"inputs": ["image"], "layers": [
    {"_type_": "nn.Conv2d", "in_channels": 3, "out_channels": 4, "kernel_size": 3},
    {"_type_": "nn.Flatten"},
]}, "freeze": True}  # fmt: skip
HEAD = {"graph": {
    "inputs": ["state", "vision"],
    "modules": {"body": {"_type_": "nn.LazyLinear", "out_features": 8},
                "out": {"_type_": "nn.Linear", "in_features": 16, "out_features": 2}},
    "steps": [
        {"call": "module:body", "args": ["$state"], "out": "code"},
        {"call": "op:cat", "args": [["$code", "$vision"]], "kwargs": {"dim": -1}, "out": "both"},
        {"call": "module:out", "args": ["$both"], "out": "action"},
    ],
    "outputs": ["$action"],
}}  # fmt: skip


@pytest.fixture
def experiment(tmp_path, monkeypatch) -> Callable[[Any], dict[str, Any]]:
    """Return a function that makes the configuration of a policy from its `model` section."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = {"state": (5,), "vision": (8,), "action": (2,), "reward": ()}
    arrays = {name: rng.normal(size=(16, *shape)).astype("float32") for name, shape in rows.items()}
    np.savez(tmp_path / "data.npz", image=rng.random((16, 3, 4, 4)).astype("float32"), **arrays)

    def of(model: Any, **sections: Any) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "run": {"name": "small", "out_dir": "runs", "device": "cpu"},
            "data": {"_type_": "data.tensors", "data": "data.npz", "batch_size": 8,
                     "fields": {name: name for name in ("image", *rows)}},
            "model": copy.deepcopy(model),
            "io": {"_type_": "io.mapping", "model_kwargs": {"state": "state"}, "targets": {"action": "action"}},
            "loss": {"_type_": "loss.torch", "fn": "MSELoss"},
            "optimizer": {"_type_": "optim_factory.torch", "type": "SGD", "kwargs": {"lr": 0.1}},
            "trainer": {"_type_": "trainer.default", "max_steps": 1},
            **sections,
        }  # fmt: skip

    return of


@pytest.fixture
def mlp(experiment) -> dict[str, Any]:
    return experiment({"sequential": {"inputs": ["state"], "layers": [{"_type_": "block.mlp", "dims": [None, 7, 2]}]}})


@pytest.fixture
def graph(experiment) -> dict[str, Any]:
    io = {
        "_type_": "io.mapping",
        "model_kwargs": {"state": "state", "vision": "vision"},
        "targets": {"action": "action"},
    }
    return experiment(HEAD, io=io)


class TwoNetworks:
    """Sees with one network and acts with the other, twice for every batch that it is validated on."""

    def __init__(self, blind: bool = False) -> None:
        self.blind = blind

    def setup(self, *, models: Any) -> None:
        self.models = models

    def materialize(self, *, batch: Any, models: Any) -> None:
        self.models = models
        self.act(batch)

    def act(self, observation: Any) -> Any:
        seen = self.models["camera"](observation["image"])
        vision = seen.new_ones(len(seen), 8) if self.blind else seen[:, :8] * 2
        return self.models["head"](observation["state"], vision)

    def validate(self, batch: Any) -> Any:
        first = self.act(batch)
        return {"loss": (first - batch["action"]).square().mean()}, self.act(batch), batch["action"]

    def update(self, batch: Any, step: Any) -> Any:
        raise AssertionError("nothing is to be trained")


@pytest.fixture
def two_networks(experiment, tmp_path, monkeypatch) -> dict[str, Any]:
    (tmp_path / "two_networks.py").write_text(
        "from __future__ import annotations\nfrom typing import Any\n" + _source_of(TwoNetworks)
        + "\n\ndef register(registry):\n    registry.register_module('algo.two_networks', TwoNetworks)\n"
    )  # fmt: skip
    monkeypatch.syspath_prepend(str(tmp_path))
    return experiment(
        {"components": {"camera": CAMERA, "head": HEAD}},
        settings={"allowed_import_prefixes": ["two_networks"]},
        imports=["two_networks"],
        algorithm={"_type_": "algo.two_networks"},
    )


def _source_of(target: type) -> str:
    import inspect

    return inspect.getsource(target)
