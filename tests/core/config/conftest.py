"""Collects what is wrong with configuration files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.config import resolve_config
from offline_trainer_core.errors import ConfigError, Problem


@pytest.fixture
def problems(write: Callable[..., Path]) -> Callable[..., tuple[Problem, ...]]:
    """Write files as `write` does and return the problems with the first; fail if there are none."""

    def problems_of(text: str | bytes, *overrides: str, env: Any = None, **others: str) -> tuple[Problem, ...]:
        with pytest.raises(ConfigError) as caught:
            resolve_config(write(text, **others), overrides, env=env or {})
        return caught.value.problems

    return problems_of
