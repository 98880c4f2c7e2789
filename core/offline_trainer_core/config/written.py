"""One file as its author wrote it: parsed, and neither composed with others nor resolved."""

from __future__ import annotations

from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.parse import parse_text
from offline_trainer_core.config.read import read_text
from offline_trainer_core.config.resolved import Config
from offline_trainer_core.config.tree import MappingNode, ScalarNode
from offline_trainer_core.errors import Location

__all__ = ["parse_written", "read_written"]


def read_written(file: str) -> str:
    """Return the text of `file`. Raises `ConfigError` where there is none, or none that YAML allows."""
    findings = Findings()
    text = read_text(file, ScalarNode(file), findings)
    findings.raise_any()
    assert text is not None, "a text, or a problem that says why there is none"
    return text


def parse_written(text: str, file: str) -> Config:
    """Return the mapping in `text` with the places of all values, as written. Raises `ConfigError` with all problems.

    `file` names the text in locations.
    """
    findings = Findings()
    findings.sources[file] = text
    root = parse_text(text, file, findings)
    if not isinstance(root, MappingNode) and not findings.problems:
        code, what = ("not-a-mapping", "a list or a single value") if root else ("empty-file", "empty")
        message = f"a configuration is a mapping, and this file is {what}"
        findings.add(code, message, location=Location(file, 1, 1))
    findings.raise_any()
    assert isinstance(root, MappingNode), "anything else has been reported"
    return Config(root, findings.sources)
