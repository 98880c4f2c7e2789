"""What the tests of the policy constructor share. It imports nothing that needs torch: the readers' tests do not."""

import pytest


@pytest.fixture(scope="session")
def registry():
    """Return the components that are installed. Tests that register their own take `own_registry`."""
    from offline_trainer_core import build_registry

    return build_registry()


@pytest.fixture
def own_registry():
    """Return a registry that a test may change."""
    from offline_trainer_core import build_registry

    return build_registry()
