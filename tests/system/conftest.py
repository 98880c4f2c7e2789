"""Wheels of all our distributions, fresh environments to install them into, and processes that start at once."""

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PROJECTS = [REPOSITORY / "core", *sorted(path.parent for path in REPOSITORY.glob("packages/*/pyproject.toml"))]
OURS = {"offline_trainer_core", *(project.name.replace("-", "_") for project in PROJECTS[1:])}
"""Names of our distributions and import packages, as they begin names in `site-packages`."""


def build(project: Path, destination: Path, *formats: str) -> None:
    """Build a project with the backend that is installed here; without formats the wheel is built from the sdist."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(destination), *formats, str(project)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder with an sdist of each of our distributions, and the wheel that was built from it."""
    from filelock import FileLock

    root = tmp_path_factory.getbasetemp()
    folder = (root if worker_id == "master" else root.parent) / "distributions"
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            for project in PROJECTS:
                build(project, folder)
            (folder / "complete").touch()
    return folder


@dataclass(frozen=True)
class Environment:
    """A virtual environment that has our dependencies, and nothing of ours until it is installed."""

    path: Path

    def run(self, *command: str | Path, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment, without what this process inherited of ours."""
        inherited = {
            name: text for name, text in os.environ.items() if not name.startswith(("PYTHONPATH", "OT_", "PYTEST"))
        }
        settings = {**inherited, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **variables}
        program = self.path / "bin" / command[0]
        arguments = [str(argument) for argument in command[1:]]
        return subprocess.run([program, *arguments], cwd=cwd or self.path, env=settings, capture_output=True, text=True)

    def ot(self, *arguments: str | Path, **options: Path | str) -> subprocess.CompletedProcess[str]:
        return self.run("ot", *arguments, **options)

    def pip(self, *arguments: str | Path) -> None:
        """Run pip without an index: everything must come from what is named, or be there."""
        done = self.run("python", "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def install(self, *what: str | Path) -> None:
        self.pip("install", "--no-index", *what)


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Environment]:
    """Return a function that makes environments.

    They link to the third-party packages of the environment that runs the tests, so that none is installed again, and
    leave ours out with their metadata, however they are installed there.
    """

    def make() -> Environment:
        path = tmp_path_factory.mktemp("environment")
        venv.create(path, symlinks=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            if not is_ours(entry.name) and entry.suffix != ".pth":
                (path / "lib" / version / "site-packages" / entry.name).symlink_to(entry)
        return Environment(path)

    return make


def is_ours(name: str) -> bool:
    """Whether a name in `site-packages` is of ours: a package, or the metadata of a distribution."""
    return name in OURS or name.partition("-")[0] in OURS


@pytest.fixture(scope="module")
def environment(make_environment: Callable[[], Environment], distributions: Path) -> Environment:
    """An environment with our wheels, as `pip install offline-trainer` leaves it."""
    made = make_environment()
    made.install("--find-links", distributions, "offline-trainer")
    return made


@dataclass
class PluginAuthor:
    """Builds plugins outside of this repository, as a stranger would, and installs their wheels with pip."""

    folder: Path
    environment: Environment
    installed: set[str]

    def write(self, name: str, version: str, components: dict[str, str], source: str) -> Path:
        """Write the project of a distribution with one module, and return its folder."""
        project = self.folder / f"{name}-{version}"
        module = name.replace("-", "_")
        project.mkdir()
        (project / f"{module}.py").write_text(source)
        lines = [f'"{key}" = "{module}:{attribute}"' for key, attribute in components.items()]
        (project / "pyproject.toml").write_text(
            "\n".join(
                [
                    '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"',
                    f'[project]\nname = "{name}"\nversion = "{version}"\ndependencies = ["torch>=2.10"]',
                    '[project.entry-points."offline_trainer.components"]',
                    *lines,
                ]
            )
        )
        return project

    def publish(self, name: str, version: str, components: dict[str, str], source: str) -> None:
        """Build the wheel of a plugin and install it, over an older version if there is one."""
        wheels = self.folder / "wheels"
        build(self.write(name, version, components, source), wheels, "--wheel")
        self.environment.install("--upgrade", "--find-links", wheels, f"{name}=={version}")
        self.installed.add(name)

    def remove(self, name: str) -> None:
        self.environment.pip("uninstall", "--yes", name)
        self.installed.discard(name)


@pytest.fixture
def author(environment: Environment, tmp_path: Path) -> Iterator[PluginAuthor]:
    """A plugin author whose plugins are gone when the test ends."""
    author = PluginAuthor(tmp_path / "elsewhere", environment, set())
    author.folder.mkdir()
    yield author
    for name in sorted(author.installed):
        author.remove(name)
