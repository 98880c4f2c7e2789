"""Writes configuration files and collects what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.config import Config, resolve_config
from offline_trainer_core.errors import ConfigError, Problem

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write `exp.yaml`, and other files by keyword (`base="..."` is `base.yaml`), and return the path of the first."""

    def write_files(text: str | bytes, **others: str) -> Path:
        for name, content in others.items():
            (tmp_path / f"{name}.yaml").write_text(content, encoding="utf-8")
        path = tmp_path / "exp.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    return write_files


@pytest.fixture
def resolve(write: Write) -> Callable[..., Config]:
    """Write files as `write` does and resolve the first."""

    def resolve_files(text: str | bytes, *overrides: str, env: dict[str, str] | None = None, **others: str) -> Config:
        return resolve_config(write(text, **others), overrides, env=env or {})

    return resolve_files


@pytest.fixture
def problems(write: Write) -> Callable[..., tuple[Problem, ...]]:
    """Write files as `write` does and return the problems with the first; fail if there are none."""

    def problems_of(text: str | bytes, *overrides: str, env: Any = None, **others: str) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            resolve_config(write(text, **others), overrides, env=env or {})
        return caught.value.problems

    return problems_of
