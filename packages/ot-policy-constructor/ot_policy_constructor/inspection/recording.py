"""Notes, while an algorithm works, what goes into every module of a component and what comes out."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ot_policy_constructor.inspection.flops import FlopCounter
from ot_policy_constructor.inspection.provenance import Provenance
from ot_policy_constructor.inspection.shapes import TensorFact, facts_of

__all__ = ["Instruments", "Recorder", "output_of", "watching"]


@dataclass
class Instruments:
    """What measures during a pass."""

    counter: FlopCounter = field(default_factory=FlopCounter)
    provenance: Provenance = field(default_factory=Provenance)

    def facts(self, nest: Any) -> list[TensorFact]:
        """Return what is to be remembered of the tensors of `nest`."""
        return [
            TensorFact(name, tuple(leaf.shape), str(leaf.dtype).removeprefix("torch."), self.provenance.storage(leaf))
            for name, leaf in facts_of(nest)
        ]


@dataclass
class _Calls:
    """The calls of one module during one call of its component."""

    inputs: list[TensorFact]
    outputs: list[TensorFact] = field(default_factory=list)
    """Both of the first call."""
    times: int = 0
    flops: int = 0


@dataclass(eq=False)
class Recorder:
    """What was seen of one component. Modules are recorded during its first call, calls are counted in all."""

    name: str
    model: nn.Module
    instruments: Instruments
    times: int = 0
    calls: dict[str, _Calls] = field(default_factory=dict)
    """By the name of the module, which is empty for the component itself."""
    arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    sources: dict[str, frozenset[str]] = field(default_factory=dict)
    """For every tensor that goes into the component, what it was computed from."""
    made: set[int] = field(default_factory=set)
    """In which memory the outputs of all calls lie."""
    _recording: bool = False
    _open: list[int] = field(default_factory=list)

    def enter(self, path: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not path:
            self.times += 1
            self._recording = self.times == 1
            self.instruments.provenance.listening = True
        if self._recording:
            given = named_arguments(module, args, kwargs)
            if not path:
                self.arguments = (args, kwargs)
                self.sources = {name: self.instruments.provenance.sources(leaf) for name, leaf in facts_of(given)}
            self.calls.setdefault(path, _Calls(self.instruments.facts(given)))
            self._open.append(self.instruments.counter.get_total_flops())

    def leave(self, path: str, outputs: Any) -> None:
        if self._recording:
            calls = self.calls[path]
            calls.times += 1
            calls.flops += self.instruments.counter.get_total_flops() - self._open.pop()
            calls.outputs = calls.outputs or self.instruments.facts(outputs)
        if not path:
            self._recording = self.instruments.provenance.listening = False
            for name, leaf in facts_of(outputs):
                self.instruments.provenance.declare([leaf], output_of(self.name, name))
                self.made.add(self.instruments.provenance.storage(leaf))


def output_of(component: str, output: str) -> str:
    """Return how provenance calls an output of a component."""
    return f"output {component} {output}"


@contextmanager
def watching(recorders: Iterable[Recorder]) -> Iterator[None]:
    """Let every recorder see what its component does."""
    handles = [handle for recorder in recorders for handle in _hooks(recorder)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hooks(recorder: Recorder) -> Iterator[Any]:
    for path, module in recorder.model.named_modules():

        def enter(module: nn.Module, args: Any, kwargs: Any, path: str = path) -> None:
            recorder.enter(path, module, args, kwargs)

        def leave(module: nn.Module, args: Any, outputs: Any, path: str = path) -> None:
            recorder.leave(path, outputs)

        yield module.register_forward_pre_hook(enter, with_kwargs=True)
        yield module.register_forward_hook(leave)


def named_arguments(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by the names that `forward` has for them."""
    try:
        bound = inspect.signature(module.forward).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return {**{str(index): value for index, value in enumerate(args)}, **kwargs}
    bound.apply_defaults()
    named: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        named.update(value if kind is inspect.Parameter.VAR_KEYWORD else {name: value})
    return named
