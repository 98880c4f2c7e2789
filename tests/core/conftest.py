"""Writes configuration files and resolves them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from offline_trainer_core.config import Config, resolve_config

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
