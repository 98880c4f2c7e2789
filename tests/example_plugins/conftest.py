from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import numpy as np


@pytest.fixture(scope="session")
def swing_ups() -> dict[str, np.ndarray]:
    """Three recorded episodes of 200 steps of the scripted pendulum controller."""
    from ot_example_plugins import policy, recording

    return recording.record("Pendulum-v1", policy.PendulumSwingUp(), episodes=3, noise=0.1, seed=5)


@pytest.fixture
def swing_up_file(swing_ups: dict[str, np.ndarray], tmp_path: Path) -> Path:
    from ot_example_plugins import recording

    recording.write(tmp_path / "swing_ups.npz", swing_ups)
    return tmp_path / "swing_ups.npz"
