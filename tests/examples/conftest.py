"""The examples: every YAML file whose first lines say how `ot run` runs it. The others are what those include."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from offline_trainer_core import build_registry
from offline_trainer_core.catalogue import Registry

EXAMPLES = Path(__file__).parents[2] / "examples"
if find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py"]  # what the classes of torch take is read from its source


def all_examples() -> list[str]:
    """Return their paths below `examples/`."""
    names = (file.relative_to(EXAMPLES).as_posix() for file in sorted(EXAMPLES.rglob("*.yaml")))
    return [name for name in names if f"ot run examples/{name}" in (EXAMPLES / name).read_text("utf-8")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `example` on each of them."""
    if "example" in metafunc.fixturenames:
        metafunc.parametrize("example", all_examples())


@pytest.fixture(scope="session")
def examples() -> list[str]:
    return all_examples()


@pytest.fixture(scope="session")
def registry() -> Registry:
    return build_registry()
