"""A run folder for a logger to write into."""

from __future__ import annotations

from pathlib import Path

import pytest

from offline_trainer_core.types import RunInfo


@pytest.fixture
def run_info(tmp_path: Path) -> RunInfo:
    return RunInfo("pusht", tmp_path)
