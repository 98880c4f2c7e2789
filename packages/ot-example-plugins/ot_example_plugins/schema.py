"""Schemas: what editors should know of a model that a frontend of ours builds. `ot schema` reads them, unimported."""

from __future__ import annotations

__all__ = ["WIDTHS"]

WIDTHS = {
    "type": "object",
    "properties": {
        "sizes": {
            "description": "Sizes of the layers, from the observation to the action.",
            "type": ["array", "string"],
            "items": {"anyOf": [{"type": "integer", "minimum": 1}, {"$ref": "#/definitions/deferred"}]},
        },
        "activation": {
            "description": "What stands between two layers: a class of `torch.nn`.",
            "anyOf": [{"names of": "nn"}, {"type": "string"}],
        },
    },
    "additionalProperties": False,
}
