"""What a model definition says, once it has been read: inputs, modules, calls in order, outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from offline_trainer_core import join_path

Kind = Literal["module", "op"]
Returns = Literal["single", "tuple", "dict"]


@dataclass(frozen=True)  # no tuple: those are arguments with references in them
class Reference:
    """The place of a value: `$name` in the text."""

    name: str


class Node(NamedTuple):
    """One call of a module or of an operation."""

    name: str
    path: str
    """Where the node stands in the definition: `nodes[2]`, `steps[0]`, `layers[1]`."""
    kind: Kind
    target: str
    """The name of a module, or the registry key of an operation."""
    args: tuple[Any, ...]
    """Plain data with a `Reference` wherever a value goes."""
    kwargs: Mapping[str, Any]
    out: str | tuple[str, ...] | Mapping[str, str] = ()
    """The name of the value, names to unpack it into, or a name for each key of it."""
    out_path: str = ""
    """Where `out` is written: in a key of its own, or as the name of the node."""

    @property
    def produces(self) -> tuple[str, ...]:
        """The names of the values that this node makes."""
        if isinstance(self.out, str):
            return (self.out,)
        return tuple(self.out.values()) if isinstance(self.out, Mapping) else self.out

    @property
    def makes(self) -> Iterator[tuple[str, str]]:
        """Every value that this node makes: where it is named in the definition, and its name."""
        if isinstance(self.out, str):
            yield self.out_path, self.out
        else:
            keys = self.out if isinstance(self.out, Mapping) else range(len(self.out))
            yield from zip((join_path(self.out_path, key) for key in keys), self.produces, strict=True)

    @property
    def needs(self) -> Iterator[tuple[str, str]]:
        """Every value that this node takes: where it is named in the definition, and its name."""
        yield from references(self.args, f"{self.path}.args")
        yield from references(self.kwargs, f"{self.path}.kwargs")


class GraphIR(NamedTuple):
    """A directed acyclic graph of calls. `modules` are specs, not built yet."""

    inputs: tuple[str, ...]
    modules: Mapping[str, Mapping[str, Any]]
    nodes: tuple[Node, ...]
    outputs: tuple[Reference, ...] | Mapping[str, Reference]
    returns: Returns
    optional: tuple[str, ...] = ()
    """Those of the inputs that may be left out; they are None then."""


class SequentialIR(NamedTuple):
    """A chain of layers, which are specs, not built yet."""

    inputs: tuple[str, ...]
    layers: tuple[Mapping[str, Any], ...]
    returns: Returns = "single"

    def as_graph(self) -> GraphIR:
        """Return the same model as a graph whose modules are named `0`, `1`, ... as in `nn.Sequential`."""
        names = [self.inputs[0], *(f"{self.inputs[0]}_{index}" for index in range(len(self.layers)))]
        nodes = tuple(
            Node(out, f"layers[{index}]", "module", str(index), (Reference(names[index]),), {}, out)
            for index, out in enumerate(names[1:])
        )
        modules = {str(index): spec for index, spec in enumerate(self.layers)}
        return GraphIR(self.inputs, modules, nodes, (Reference(names[-1]),), self.returns)


def references(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the place and the name of every `Reference` inside `value`."""
    if isinstance(value, Reference):
        yield path, value.name
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from references(item, join_path(path, str(key)))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from references(item, join_path(path, index))


def substitute(value: Any, lookup: Callable[[str], Any]) -> Any:
    """Return `value` with every `Reference` replaced by what `lookup` has for its name."""
    if isinstance(value, Reference):
        return lookup(value.name)
    if isinstance(value, Mapping):
        return {key: substitute(item, lookup) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(substitute(item, lookup) for item in value)
    return value
