"""Where torch is not installed, the tests that import it, or videos, are left out; and no test imports for the next."""

import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

IMPORTS_TORCH = re.compile(r"^(import|from) ((safetensors\.)?torch|av)\b", re.MULTILINE)
HAS_TORCH = find_spec("torch") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if HAS_TORCH:
        return None
    source = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
    if source.suffix != ".py" or not source.is_file():
        return None
    return True if IMPORTS_TORCH.search(source.read_text(encoding="utf-8")) else None


@pytest.fixture(autouse=True)
def _forget_imports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Forget the modules that a test wrote and imported: the next may write another of the same name."""
    yield
    written = str(tmp_path_factory.getbasetemp())
    sys.path[:] = [folder for folder in sys.path if not folder.startswith(written)]
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(written):
            del sys.modules[name]
