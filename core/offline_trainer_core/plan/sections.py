"""The top level of an experiment as a table: every key, its form, the kinds and types that may stand there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["MODEL_FORMS", "MODEL_OPTIONS", "RUN", "SECTIONS", "SETTINGS", "Section", "is_free"]


@dataclass(frozen=True)
class Section:
    """One key of the top level.

    `form`: `spec`; `specs`, a list of them; `named`, a spec or a mapping from names to specs; `model`; `values`, plain
    data of the type `annotation`; `fields`, a mapping with its own table.
    """

    form: Literal["spec", "specs", "named", "model", "values", "fields"]
    kinds: tuple[str, ...] = ()
    annotation: str = ""
    required: bool = False
    implied: str | None = None
    """The component that takes part where the section is absent."""


SECTIONS: dict[str, Section] = {
    "schema_version": Section("values", annotation="Literal[1]"),
    "settings": Section("fields"),
    "imports": Section("values", annotation="list[str]"),
    "plugins": Section("values", annotation="list[str]"),
    "params": Section("values"),
    "run": Section("fields", required=True),
    "model": Section("model", ("model", "nn", "block"), required=True),
    "data": Section("spec", ("data",)),
    "normalize": Section("values", annotation="dict[str, str] | None"),
    "io": Section("spec", ("io",)),
    "loss": Section("spec", ("loss",)),
    "algorithm": Section("spec", ("algo",), implied="algo.supervised"),
    "trainer": Section("spec", ("trainer",), implied="trainer.default"),
    "optimizer": Section("named", ("optim_factory",)),
    "scheduler": Section("named", ("sched_factory",)),
    "metrics": Section("specs", ("metric",)),
    "callbacks": Section("specs", ("cb",)),
    "loggers": Section("specs", ("log",)),
    "eval": Section("named", ("eval",)),
}

SETTINGS = {
    "strict": "bool",
    "allow_imports": "bool",
    "allow_target": "bool",
    "allowed_import_prefixes": "list[str]",
    "allowed_distributions": "list[str] | None",
}

RUN = {
    "name": "str",
    "out_dir": "str",
    "seed": "int",
    "device": "str",
    "precision": "Literal['fp32', 'bf16-mixed', 'fp16-mixed']",
    "deterministic": "bool",
    "resume_from": "str | None",
    "strategy": "str | dict | None",
    "launcher": "str | dict | None",
    "compile": "bool | str | dict | None",
}
RUN_REQUIRED = ("name", "out_dir")

NORMALIZATIONS = ("mean_std", "min_max", "none")

MODEL_FORMS = ("_type_", "_target_", "config_path", "config", "components")
"""The forms of a model beside the frontends that are installed."""
MODEL_OPTIONS = {"init": "str | dict | None", "freeze": "bool", "weights": "str | None", "strict": "bool"}
"""What a named component may have beside its form."""

# `type` of an optimizer or scheduler factory names a class of this kind; `args` and `kwargs` are that class's.
CLASS_KINDS = {"optim_factory": "optim_cls", "sched_factory": "sched_cls"}


def is_free(key: str) -> bool:
    """Whether a top-level key holds values to interpolate from, of any form."""
    return key == "params" or key.startswith("x-")
