"""Where torch is not installed, the tests that import it, or videos, are left out; all others must run without it."""

import re
from importlib.util import find_spec
from pathlib import Path

IMPORTS_TORCH = re.compile(r"^(import|from) ((safetensors\.)?torch|av)\b", re.MULTILINE)
HAS_TORCH = find_spec("torch") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if HAS_TORCH:
        return None
    source = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
    if source.suffix != ".py" or not source.is_file():
        return None
    return True if IMPORTS_TORCH.search(source.read_text(encoding="utf-8")) else None
