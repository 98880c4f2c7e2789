"""A place with many installed distributions, and `ot` in a fresh process that looks at them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Ot = Callable[..., subprocess.CompletedProcess[str]]


class Site:
    """A folder of distributions, made of metadata and modules, that a fresh process finds on its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, entry_points: Mapping[str, Mapping[str, str]], modules: Mapping[str, str] = {}) -> None:
        """Install a distribution `name` 1.0 with `entry_points` by group, and its `modules` by file name."""
        metadata = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = []
        for group, entries in entry_points.items():
            lines += [f"[{group}]", *(f"{key} = {target}" for key, target in entries.items())]
        (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
        for file, text in modules.items():
            (self.folder / file).write_text(text)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder)


@pytest.fixture
def ot(site: Site, tmp_path: Path) -> Ot:
    """Run `ot` with the given arguments in a fresh process that also sees `site`; its working folder is `tmp_path`."""

    def run_ot(*arguments: str, env: Mapping[str, str] = {}) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(site.folder), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "offline_trainer_core", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path.rstrip(os.pathsep), **env},
        )

    return run_ot


@pytest.fixture
def crowded_site(site: Site) -> Site:
    """A site with 200 distributions; every module of theirs would write a file when it is imported."""
    trap = "import pathlib\npathlib.Path(__file__).with_suffix('.imported').touch()\nraise RuntimeError('imported')\n"
    for number in range(200):
        components = {f"loss.crowd.l{number}": f"crowd{number}:Loss"}
        groups = {"console_scripts": {f"crowd{number}": f"crowd{number}:main"}}
        if number % 10 == 0:
            groups["offline_trainer.components"] = components
        if number == 0:
            groups["offline_trainer.commands"] = {"crowd": "crowd0:command"}
            groups["offline_trainer.plugins"] = {"crowd": "crowd0:Hooks"}
        site.add(f"crowd-{number}", groups, {f"crowd{number}.py": trap})
    return site
