"""What components of this package were called before."""

from __future__ import annotations

__all__ = ["RENAMES"]

RENAMES = [
    {"component": "loss.examples.logcosh", "to": "loss.examples.log_cosh", "since": "0.1"},
    {"component": "loss.examples.log_cosh", "argument": "mask", "to": "mask_path", "since": "0.1"},
    {
        "component": "loss.examples.log_cosh",
        "argument": "reduction",
        "to": None,
        "since": "0.1",
        "why": "the loss is always the mean over what counts",
    },
]
