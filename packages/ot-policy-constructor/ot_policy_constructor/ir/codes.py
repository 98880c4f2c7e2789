"""What the codes mean that only models have; the others are those of `offline_trainer_core.codes`."""

from __future__ import annotations

__all__ = ["CODES"]

CODES: dict[str, str] = {
    "bad-name": "An input, a module, a node or a value has a name that Python cannot use. Take letters, digits, `_`.",
    "duplicate-name": "Two values or two nodes have one name.",
    "bad-call": "`call` is not of the form `module:<name>` or `op:<key>`.",
    "unknown-module": "A node calls a module that `modules` does not have.",
    "unknown-value": "A node or an output refers to a value that nothing produces.",
    "forward-reference": "A node refers to a value that a later node produces. Put them into the order of the calls.",
    "bad-reference": "A text that begins with `$` does not refer to a value, or an output does not begin with `$`.",
    "unknown-node": "`order` names a node that `nodes` does not have.",
    "missing-node": "`order` leaves out a node of `nodes`.",
    "unused-module": "No node calls a module. Call it, or take it out.",
    "unused-value": "Nothing that the model returns depends on a node. Use its value, or take it out.",
    "unused-input": "No node uses an input. Use it, or take it out.",
    "too-many-inputs": "A sequential model has exactly one input. A graph takes several.",
    "bad-return": "`return` is none of single, tuple, dict, or does not fit `outputs`.",
    "reserved-name": "A module has the name of an attribute that every torch module has. Give it another.",
    "not-a-module": "A component of a model makes something else than a torch module.",
    "not-lazy": "A dimension is null that cannot be inferred from the first batch. Give its number.",
}
