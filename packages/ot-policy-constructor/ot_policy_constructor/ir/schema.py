"""What editors should know of model definitions, as JSON Schema: literals, which `ot schema` reads without importing.

`#/definitions/spec` is a spec of any component, `#/definitions/deferred` what is settled when the file is resolved, and
`{"names of": kind, "prefix": text}` the names of all installed components of a kind.
"""

from __future__ import annotations

__all__ = ["GRAPH", "SEQUENTIAL"]

SEQUENTIAL = {
    "type": "object",
    "properties": {
        "inputs": {
            "description": "The name of the one input, in a list.",
            "type": ["array", "string"],
            "items": {"type": "string"},
            "maxItems": 1,
        },
        "layers": {
            "description": "The modules, each called with what the one before it returned.",
            "if": {"type": "array"},
            "then": {"items": {"$ref": "#/definitions/spec"}},
            "else": {"$ref": "#/definitions/deferred"},
        },
        "return": {"description": "`single`: the output itself. `tuple`: a tuple of it.", "enum": ["single", "tuple"]},
        "_template_": {"type": "string"},
    },
    "additionalProperties": False,
}

GRAPH = {
    "type": "object",
    "properties": {
        "inputs": {
            "description": "Names of what the model is called with, in the order of its positional arguments; "
            "`{mask: null}` for one that may be left out.",
            "type": ["array", "string"],
            "items": {"type": ["string", "object"], "additionalProperties": {"type": "null"}, "maxProperties": 1},
        },
        "modules": {
            "description": "The modules by name. Two calls of one module share its weights.",
            "type": ["object", "string"],
            "additionalProperties": {"$ref": "#/definitions/spec"},
        },
        "nodes": {
            "description": "The calls, as a list, or as a mapping that needs `order`. `steps` is the other form.",
            "type": ["array", "object", "string"],
            "items": {"$ref": "#/definitions/frontend.graph/definitions/node"},
            "if": {"required": ["_merge_"]},
            "else": {"additionalProperties": {"$ref": "#/definitions/frontend.graph/definitions/node"}},
        },
        "order": {"description": "Names of the nodes in the order of their calls.", "items": {"type": "string"}},
        "steps": {
            "description": "The calls in the order in which they run.",
            "type": ["array", "object", "string"],
            "items": {"$ref": "#/definitions/frontend.graph/definitions/node"},
        },
        "outputs": {"description": "What comes out: a list (`[$h]`) or a mapping (`{action: $h}`)."},
        "return": {
            "description": "The form of the output; inferred from `outputs` where it is missing.",
            "enum": ["single", "tuple", "dict"],
        },
        "_template_": {"type": "string"},
    },
    "additionalProperties": False,
    "definitions": {
        "node": {
            "type": ["object", "string"],
            "properties": {
                "name": {"description": "The node's name.", "type": "string"},
                "call": {
                    "description": "`module:<name>` of a module above, or `op:<key>`.",
                    "anyOf": [
                        {"names of": "op", "prefix": "op:"},
                        {"type": "string", "pattern": r"^module:|^op:.*@|\$\{"},
                    ],
                },
                "args": {"description": "Positional arguments; `$name` is an input or an earlier value."},
                "kwargs": {"description": "Keyword arguments; `$name` is an input or an earlier value."},
                "out": {
                    "description": "Name of the value, a list of names to unpack, or a mapping from keys to names."
                },
                "_template_": {"type": "string"},
            },
            "additionalProperties": False,
        }
    },
}
