"""Documents are validated as they are written, before anything in them is resolved: that is what an editor sees."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft7Validator

from offline_trainer_core.catalogue import installed_registry
from offline_trainer_core.config import to_plain
from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.parse import parse_text
from offline_trainer_core.schema import json_schema

Written = Callable[[str], Any]
Marks = Callable[..., list[str]]


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    """Return the schema of what is installed."""
    return json_schema(installed_registry())


@pytest.fixture(scope="session")
def written() -> Written:
    """Return a function from a text to what it holds, read as YAML and not resolved."""

    def written(text: str) -> Any:
        root = parse_text(textwrap.dedent(text), "test.yaml", Findings())
        assert root is not None
        return to_plain(root)

    return written


@pytest.fixture(scope="session")
def marks(schema: dict[str, Any], written: Written) -> Marks:
    """Return a function from a text, or what it holds, to the paths at which it is wrong, those of keys included."""

    def marks(document: Any, schema: dict[str, Any] = schema) -> list[str]:
        plain = written(document) if isinstance(document, str) else document
        errors = Draft7Validator(schema).iter_errors(plain)
        return sorted({path for error in errors for path in _paths(error)})

    return marks


def _paths(error: Any) -> list[str]:
    while error.context:  # of alternatives, the one that came furthest was meant, as editors take it
        error = max(error.context, key=lambda e: (len(e.absolute_path), e.validator == "additionalProperties"))
    here = [str(part) for part in error.absolute_path]
    if error.validator != "additionalProperties":
        return [".".join(here)]
    known = error.schema.get("properties", {})
    patterns = error.schema.get("patternProperties", {})
    surplus = [key for key in error.instance if key not in known and not any(re.search(p, key) for p in patterns)]
    return [".".join((*here, key)) for key in surplus]
