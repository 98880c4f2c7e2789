"""Each distribution builds, says what it is, and brings what it promises."""

import configparser
import tarfile
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
import tomllib
import torch  # noqa: F401 - our wheels are built and installed where it is

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[2]
PROJECTS = [REPOSITORY / "core", *sorted(path.parent for path in REPOSITORY.glob("packages/*/pyproject.toml"))]
META = "offline-trainer"
"""The distribution that is nothing but dependencies."""


@pytest.fixture(params=PROJECTS, ids=lambda project: project.name)
def project(request):
    return tomllib.loads((request.param / "pyproject.toml").read_text())["project"]


@pytest.fixture
def wheel(project, distributions):
    """The open wheel of a project."""
    [path] = distributions.glob(f"{project['name'].replace('-', '_')}-{project['version']}-*.whl")
    with ZipFile(path) as opened:
        yield opened


def metadata(wheel, name):
    [path] = [path for path in wheel.namelist() if path.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


def test_the_sdist_has_the_licence_and_what_builds_the_wheel(project, distributions):
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    with tarfile.open(distributions / f"{stem}.tar.gz") as sdist:
        assert {f"{stem}/{name}" for name in ("LICENSE", "README.md", "pyproject.toml")} <= set(sdist.getnames())


def test_the_wheel_says_what_it_is(project, wheel):
    fields = Parser().parsestr(metadata(wheel, "METADATA"))
    assert (fields["Name"], fields["Version"]) == (project["name"], project["version"])
    assert (fields["Requires-Python"], fields["License-Expression"]) == (">=3.10", "MIT")
    assert fields.get_payload().startswith("#")


def test_the_wheel_has_the_licence(wheel):
    assert metadata(wheel, "licenses/LICENSE") == (REPOSITORY / "LICENSE").read_text()


def test_the_wheel_is_typed(project, wheel):
    packages = {path.partition("/")[0] for path in wheel.namelist() if ".dist-info/" not in path}
    assert [f"{package}/py.typed" in wheel.namelist() for package in packages] == [True] * (project["name"] != META)


def test_the_wheel_has_every_module_that_it_advertises(project, wheel):
    if "entry-points" not in project:
        pytest.skip("it advertises nothing")
    advertised = configparser.ConfigParser(delimiters="=")
    advertised.optionxform = str
    advertised.read_string(metadata(wheel, "entry_points.txt"))
    references = [reference for group in advertised.sections() for _, reference in advertised.items(group)]
    assert references
    own = project["name"].replace("-", "_")
    modules = {reference.partition(":")[0].replace(".", "/") for reference in references if reference.startswith(own)}
    names = set(wheel.namelist())
    assert [m for m in sorted(modules) if not {f"{m}.py", f"{m}/__init__.py"} & names] == []
