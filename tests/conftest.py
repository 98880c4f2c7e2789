"""Where torch is not installed, the tests that import it are left out; all others must run without it."""

import re
from importlib.util import find_spec
from pathlib import Path

IMPORTS_TORCH = re.compile(r"^(import|from) torch\b", re.MULTILINE)
HAS_TORCH = find_spec("torch") is not None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if HAS_TORCH or collection_path.suffix != ".py":
        return None
    return True if IMPORTS_TORCH.search(collection_path.read_text(encoding="utf-8")) else None
