"""Annotations say what may stand where: names of components, objects of certain kinds, fields, and what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core import protocols
from offline_trainer_core.signature import find_misfit, named_components, read_signature, read_type, unpacked
from offline_trainer_core.signature.forms import KINDS

SOURCE = """
from __future__ import annotations
import enum
from typing import Annotated, Literal, NewType, NotRequired, Optional, TypedDict, TypeVar, Union, Unpack
import annotated_types as at
import torch
from torch import nn
from offline_trainer_core import ComponentOf, Interval, Policy, PositiveInt
from offline_trainer_core.protocols import Loss

class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"

class Computed(enum.Enum):
    A = enum.auto()

class Options(TypedDict):
    size: PositiveInt
    mode: NotRequired[Mode]

class Lenient(TypedDict, total=False):
    size: int

T = TypeVar("T")
Pair = tuple[T, T]
Identity = NewType("Identity", int)
Name = Annotated[Literal["ReLU", "GELU"], ComponentOf("nn")]
Tree = Union[int, list["Tree"]]

class Stranger: ...

def build(rate: float, **options: Unpack[Options]): ...
def lenient(**options: Unpack[Lenient]): ...
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "formed.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "formed"


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("Mode", "fast"),
        ("Computed", "anything"),
        ("Options", {"size": 1}),
        ("Options", {"size": 1, "mode": "slow"}),
        ("Lenient", {}),
        ("Pair[int]", [1, 2]),
        ("Identity", 3),
        ("Tree", [1, [2, "unseen"]]),
        ("Policy", {"_type_": "policy.random"}),
        ("Policy", {"_type_": "myteam.policy"}),
        ("Policy | None", None),
        ("dict[str, Policy | Literal['random']]", {"a": "random", "b": {"_type_": "policy.x"}}),
        ("nn.Module", {"_type_": "nn.Linear"}),
        ("nn.Module", {"_type_": "block.mlp"}),
        ("list[Loss]", [{"_type_": "loss.a"}]),
        ("Stranger", 3),
        ("Stranger", {"_type_": "loss.a"}),
        ("float | torch.Tensor", 0.5),
        ("Annotated[float, at.Interval(gt=0, le=1)]", 1),
        ("Optional[Name]", "ReLU"),
    ],
)
def test_these_fit(module: str, annotation: str, value: Any) -> None:
    assert find_misfit(annotation, "", value, module=module) is None


@pytest.mark.parametrize(
    ("annotation", "value", "keys", "expected"),
    [
        ("Mode", "FAST", (), "one of 'fast', 'slow'"),
        ("Options", {"mode": "fast"}, (), "Options"),
        ("Options", {"size": 1, "other": 2}, (), "Options"),
        ("Options", {"size": 0}, ("size",), "int at least 1"),
        ("Pair[int]", [1, "x"], (1,), "int"),
        ("Identity", "x", (), "int"),
        ("Tree", "x", (), "int or list[Tree]"),
        ("Policy", "random", (), "Policy (policy.*)"),
        ("Policy", {"_type_": "loss.a"}, (), "Policy (policy.*)"),
        ("list[Loss]", [{"_type_": "cb.a"}], (0,), "Loss (loss.*)"),
        ("dict[str, nn.Module]", {"a": {"_type_": "metric.a"}}, ("a",), "nn.Module (model.* or nn.* or block.*)"),
        ("torch.Tensor | None", [1.0], (), "torch.Tensor or null"),
        ("torch.Tensor", {"_type_": "nn.Linear"}, (), "torch.Tensor"),
        ("float | torch.Tensor", "fast", (), "float or torch.Tensor"),
        ("Annotated[float, at.Interval(gt=0, le=1)]", 0, (), "float above 0 and at most 1"),
        ("list[PositiveInt]", [3, 0], (1,), "int at least 1"),
        ("Optional[Name]", "relu", (), "one of 'ReLU', 'GELU' or null"),
    ],
)
def test_these_do_not(module: str, annotation: str, value: Any, keys: tuple[Any, ...], expected: str) -> None:
    misfit = find_misfit(annotation, "", value, module=module)
    assert misfit is not None
    assert (misfit.keys, misfit.expected) == (keys, expected)


@pytest.mark.parametrize(
    ("annotation", "value", "meant"),
    [
        ("int", 3.0, "3"),
        ("int", 3.5, None),
        ("int", "64", "64"),
        ("float", "1e-3", "1e-3"),
        ("float", "fast", None),
        ("bool", 1, "true"),
        ("bool", "off", "false"),
        ("bool", 3, None),
        ("str", 3, "'3'"),
        ("list[str]", "val", "[val]"),
        ("list[int]", "val", None),
        ("int | None", 3.0, "3"),
        ("Annotated[int, Interval(ge=4)]", 3.0, None),
    ],
)
def test_what_was_meant_is_offered_where_it_would_fit(annotation: str, value: Any, meant: str | None) -> None:
    misfit = find_misfit(annotation, "", value)
    assert misfit is not None
    assert misfit.instead == meant


def test_names_of_components_are_found_wherever_the_marker_is(module: str) -> None:
    def names(annotation: str, value: Any) -> list[tuple[Any, str, str]]:
        form = read_type(annotation, module=module)
        return [(keys, named.kind, text) for keys, named, text in named_components(form, value)]

    assert names("Name | None", "ReLU") == [((), "nn", "ReLU")]
    assert names("Name | None", "Rely") == []
    assert names("dict[str, list[Name]]", {"a": ["ReLU", "GELU"]}) == [
        (("a", 0), "nn", "ReLU"),
        (("a", 1), "nn", "GELU"),
    ]
    assert names("Annotated[str, ComponentOf('loss')] | int", "huber") == [((), "loss", "huber")]
    assert names("str", "huber") == []


def test_keyword_arguments_may_be_typed_as_a_whole(module: str) -> None:
    for name, expected in {"build": "x(rate, size, mode=...)", "lenient": "x(size=...)"}.items():
        signature = read_signature(f"{module}:{name}")
        assert signature is not None
        assert signature.accepts_any
        assert unpacked(signature).text("x") == expected


def test_every_protocol_has_the_kind_that_its_docstring_names() -> None:
    for name in protocols.__all__:
        said = (getattr(protocols, name).__doc__ or "").partition(":")[0]
        kind = said.strip("`").removesuffix(".*") if said.endswith(".*`") else None
        if kind is not None:
            assert KINDS[name] == (kind,)
    assert set(KINDS) == set(protocols.__all__)
