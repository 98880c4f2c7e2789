"""The real yaml-language-server, which OT_YAML_LANGUAGE_SERVER names or PATH has, and a schema of what is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.catalogue import installed_registry
from offline_trainer_core.schema import json_schema

MODELINE = "# yaml-language-server: $schema=./ot.schema.json\n"


def _client() -> Any:
    """Return the module beside this one: tests are no package to import from."""
    spec = importlib.util.spec_from_file_location("language_server", Path(__file__).with_name("language_server.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a running server."""
    command = os.environ.get("OT_YAML_LANGUAGE_SERVER") or shutil.which("yaml-language-server")
    if command is None:
        pytest.skip("no yaml-language-server: npm install yaml-language-server, and name it in OT_YAML_LANGUAGE_SERVER")
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "ot.schema.json").write_text(json.dumps(json_schema(installed_registry())), encoding="utf-8")
    with _client().LanguageServer([command, "--stdio"], folder) as running:
        yield running


class Editor:
    """An editor in which files with our modeline are opened, each under a name of its own."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._opened = 0

    def completions(self, text: str) -> dict[str, str]:
        """Return what is offered at the `|`, with its documentation."""
        found: dict[str, str] = self._server.completions(self._name(), MODELINE + text)
        return found

    def hover(self, text: str) -> str:
        """Return what is shown over the `|`."""
        return str(self._server.hover(self._name(), MODELINE + text))

    def marks(self, text: str) -> list[tuple[int, int, str]]:
        """Return line, column and text of what is marked; lines are counted without the modeline."""
        return sorted(
            (mark.line - 1, mark.column, mark.text) for mark in self._server.marks(self._name(), MODELINE + text)
        )

    def messages(self, text: str) -> list[str]:
        """Return what the marks say."""
        return [mark.message for mark in self._server.marks(self._name(), MODELINE + text)]

    def unaware(self, text: str) -> list[Any]:
        """Return what is marked in a file without the modeline."""
        return list(self._server.marks(self._name(), text))

    def _name(self) -> str:
        self._opened += 1
        return f"file{self._opened}.yaml"


@pytest.fixture(scope="session")
def editor(server: Any) -> Editor:
    return Editor(server)
