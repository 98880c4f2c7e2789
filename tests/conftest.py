"""Tests need torch only where they import it, leave nothing behind in their process, and start `ot` at once."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Timer

import pytest

IMPORTS_TORCH = re.compile(r"^(import|from) ((safetensors\.)?torch|av)\b", re.MULTILINE)
HAS_TORCH = find_spec("torch") is not None
PATIENCE = 180.0
"""Seconds that a process may take."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what imports torch, or videos, where torch is not installed; all other tests must run without it."""
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


class Zygote:
    """Starts `ot` in processes of their own that find torch imported, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = 0
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, Path(__file__).with_name("zygote.py")]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, env=environment, text=True, **pipes)

    def start(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> int:
        """Start `ot <arguments>` and return the process, which `wait` waits for."""
        self._started += 1
        self._files = {name: str(self._folder / f"{self._started}.{name}") for name in ("stdout", "stderr")}
        order = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment), **self._files}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self._pid = int(self._process.stdout.readline())
        return self._pid

    def wait(self) -> subprocess.CompletedProcess[str]:
        """Return how the process ended, and what it said; one that hangs is killed."""
        watch = Timer(PATIENCE, os.kill, (self._pid, signal.SIGKILL))
        watch.start()
        code = int(self._process.stdout.readline())
        watch.cancel()
        said = {name: Path(path).read_text() for name, path in self._files.items()}
        return subprocess.CompletedProcess([], code, **said)

    def run(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        self.start(arguments, folder, environment)
        return self.wait()

    def close(self) -> None:
        self._process.communicate(timeout=60)


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    zygote = Zygote(tmp_path_factory.mktemp("zygote"))
    yield zygote
    zygote.close()
