"""No test sees what another left behind in its process."""

from importlib import import_module
from pathlib import Path

import pytest


@pytest.mark.parametrize("size", [3, 4])
def test_a_module_that_a_test_writes_is_its_own(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parts_of_this_test.py").write_text(f"size = {size}\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = import_module("parts_of_this_test")
    assert module.size == size
