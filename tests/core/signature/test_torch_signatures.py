"""Every torch class that our packages advertise is read from source as inspect sees it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import torch

from offline_trainer_core.signature import read_signature
from offline_trainer_core.signature.live import signature_of

PACKAGES = Path(__file__).parents[3] / "packages"
LINE = re.compile(r'^"(?P<key>[\w.]+)"\s*= "(?P<module>torch[\w.]*):(?P<name>\w+)"', re.MULTILINE)
ADVERTISED = {
    match["key"]: (match["module"], match["name"])
    for file in PACKAGES.glob("*/pyproject.toml")
    for match in LINE.finditer(file.read_text(encoding="utf-8"))
}


def test_there_is_something_to_compare() -> None:
    assert len(ADVERTISED) > 100
    assert torch.__version__


@pytest.mark.parametrize("key", sorted(ADVERTISED))
def test_source_and_inspect_agree(key: str) -> None:
    module, name = ADVERTISED[key]
    read, live = read_signature(f"{module}:{name}"), signature_of(getattr(importlib.import_module(module), name))
    assert read is not None
    assert [(p.name, p.kind, p.has_default) for p in read.parameters] == [
        (p.name, p.kind, p.has_default) for p in live.parameters
    ]


def test_a_module_without_init_takes_nothing_although_torch_says_anything() -> None:
    read = read_signature("torch.nn.modules.activation:Sigmoid")
    assert read is not None
    assert not read.accepts_any
    with pytest.raises(TypeError):
        torch.nn.Sigmoid(inplace=True)  # type: ignore[call-arg]
