"""The module that a definition becomes: its parts under their names, called in straight-line code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from torch import fx, nn

from offline_trainer_core.nest import describe
from ot_policy_constructor.ir import GraphIR, Node
from ot_policy_constructor.lowering import Operation, lower


class Graph(nn.Module):
    """Calls modules and operations in the order of a graph; `forward` takes the graph's inputs by name or position.

    Its submodules and its `state_dict` are named as the graph names its modules. An error inside a node carries a note
    that names the node, its component and the shapes that came in.
    """

    def __init__(
        self, ir: GraphIR, modules: Mapping[str, nn.Module], ops: Mapping[str, Operation], path: str = "model.graph"
    ) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        self._ir = ir
        self._ops = dict(ops)
        self._path = path
        self._compile()

    def __reduce__(self) -> tuple[Any, ...]:
        # The generated class is not copied or pickled: it is made again.
        return _blank, (), self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._compile()

    @property
    def code(self) -> str:
        """The text of `forward`."""
        return self._code

    def _compile(self) -> None:
        # fx writes the source and keeps it for tracebacks, as for a traced module. A class of its own for every graph
        # gives `forward` the graph's signature, which tracing, export and readers of `inspect` look for on the class.
        graph = lower(self._ir, self._ops)
        graph.on_generate_code(lambda _: _guarded)
        compiled = fx.GraphModule(self, graph)
        self._code = compiled.code
        self.__class__ = type("Graph", (Graph,), {"forward": type(compiled).forward, "__module__": __name__})

    def _locate(self) -> None:
        """Say of the error that is being handled in `forward` where in the model it happened."""
        error = sys.exc_info()[1]
        if isinstance(error, Exception):
            _add_note(error, self._whereabouts(error.__traceback__))

    def _whereabouts(self, traceback: TracebackType | None) -> str | None:
        while traceback is not None and traceback.tb_frame.f_code is not type(self).forward.__code__:
            traceback = traceback.tb_next
        if traceback is None:
            return None
        # A line of generated code is `<name> = <call>`, and the values that the call takes are alive while it runs.
        name = self._code.splitlines()[traceback.tb_lineno - 1].split("=")[0].strip()
        for call in lower(self._ir, self._ops).nodes:
            if call.name == name and "node" in call.meta:
                values = {value.name: traceback.tb_frame.f_locals[value.name] for value in call.all_input_nodes}
                return f"in {self._path}.{self._title(call.meta['node'])}, called with {_shapes(values)}"
        return None

    def _title(self, node: Node) -> str:
        if node.kind == "op":
            return f"{node.path} '{node.name}' ({node.target})"
        spec = self._ir.modules[node.target]
        return f"{node.path} '{node.name}' (module '{node.target}', {spec.get('_type_') or spec['_target_']})"


def is_reserved(name: str) -> bool:
    """Return whether a part of a graph cannot have this name, because modules have an attribute of that name."""
    return hasattr(Graph, name) or hasattr(nn.Module(), name)


def _blank() -> Graph:
    return Graph.__new__(Graph)


def _guarded(body: list[str]) -> list[str]:
    """Return the lines of `forward` inside a `try`, which costs nothing where nothing is raised.

    A method around `forward` would cost a call. The clause is bare because an input may be named `Exception`.
    """
    lines = "".join(body).splitlines()
    return ["try:\n", *(f"    {line}\n" for line in lines), "except:\n", "    self._locate()\n", "    raise\n"]


def _shapes(values: Mapping[str, Any]) -> str:
    rows = (" ".join(part for part in row if part) for row in describe(values))
    return ", ".join(rows) or "no values"


def _add_note(error: Exception, note: str | None) -> None:
    # What `add_note` does from Python 3.11 on.
    if note is not None:
        error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined, unused-ignore]
