"""The intermediate representation of models, and the readers that check a definition without loading torch."""

from ot_policy_constructor.ir.compile import compile_graph, compile_ir, compile_sequential, split_frontend
from ot_policy_constructor.ir.graph import read_graph
from ot_policy_constructor.ir.program import GraphIR, Node, Reference, SequentialIR, substitute
from ot_policy_constructor.ir.reading import Finding, Reading
from ot_policy_constructor.ir.sequential import read_sequential

__all__ = [
    "Finding",
    "GraphIR",
    "Node",
    "Reading",
    "Reference",
    "SequentialIR",
    "compile_graph",
    "compile_ir",
    "compile_sequential",
    "read_graph",
    "read_sequential",
    "split_frontend",
    "substitute",
]
