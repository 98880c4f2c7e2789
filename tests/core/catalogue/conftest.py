"""Distributions that are installed for one test: real dist-info folders and modules in a folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Install = Callable[..., Path]
Python = Callable[..., Any]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Return a function that installs a distribution into `tmp_path/site` (or another folder)."""

    def install(
        name: str,
        entry_points: str = "",
        *,
        version: str = "1.0",
        metadata: str = "",
        modules: Mapping[str, str] | None = None,
        site: str = "site",
    ) -> Path:
        folder = tmp_path / site
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}")
        (info / "entry_points.txt").write_text(entry_points)
        for module, source in (modules or {}).items():
            file = folder / module
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        return info

    return install


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """Return a function that runs code in a fresh interpreter, `tmp_path/site` on its path, and returns `result`."""

    def python(code: str, *, sites: tuple[str, ...] = ("site",), env: Mapping[str, str] | None = None) -> Any:
        script = "\n".join(
            [
                "import json, sys",
                "from offline_trainer_core.catalogue import *",
                "from offline_trainer_core.catalogue.digest import code_digest",
                "from offline_trainer_core.errors import ComponentError",
                code,
                "print(json.dumps(result))",
            ]
        )
        clean = {key: value for key, value in os.environ.items() if not key.startswith("OT_")}
        path = os.pathsep.join([*(str(tmp_path / site) for site in sites), clean.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**clean, "PYTHONPATH": path, **(env or {})},
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return python
