"""Every check of every contract can fail, and a sound component passes all of them.

`controls/` has a module for each kind. In each, `TestSound` classes are sound; all others are broken, and say in
`breaks` which checks must notice it.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from offline_trainer_core import testing

OPTIONS = ["-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "--import-mode=importlib"]
CONTROLS = sorted((Path(__file__).parent / "controls").glob("*.py"))


class Outcomes:
    """Collects which checks failed, and which ran, by class."""

    def __init__(self) -> None:
        self.failed: dict[str, set[str]] = {}
        self.ran: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        _, owner, check = report.nodeid.split("::")
        check = check.partition("[")[0]
        self.failed.setdefault(owner, set())
        if report.outcome == "failed":
            self.failed[owner].add(check)
        if report.outcome != "skipped":
            self.ran.setdefault(owner, set()).add(check)


def load(path: Path):
    spec = importlib.util.spec_from_file_location(f"controls_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=CONTROLS, ids=[path.stem for path in CONTROLS])
def control(request: pytest.FixtureRequest):
    """Give a module of controls, and what became of its checks."""
    outcomes = Outcomes()
    with torch.random.fork_rng(devices=[]):
        pytest.main([str(request.param), *OPTIONS], plugins=[outcomes])
    return load(request.param), outcomes


def test_a_check_fails_where_a_component_is_broken_and_nowhere_else(control) -> None:
    module, outcomes = control
    breaks = {owner: set(getattr(getattr(module, owner), "breaks", ())) for owner in outcomes.failed}
    assert any(owner.startswith("TestSound") for owner in breaks)
    assert outcomes.failed == breaks


def test_every_check_can_fail_and_can_pass(control) -> None:
    module, outcomes = control
    contracts = {base for owner in outcomes.failed for base in getattr(module, owner).__mro__ if is_contract(base)}
    checks = {name for contract in contracts for name in vars(contract) if name.startswith("test_")}
    sound = {name for owner, names in outcomes.ran.items() if owner.startswith("TestSound") for name in names}
    assert set().union(*outcomes.failed.values()) == checks
    assert sound == checks


def is_contract(base: type) -> bool:
    return base.__module__.startswith("offline_trainer_core.testing")


def test_every_contract_has_its_controls() -> None:
    contracts = {getattr(testing, name) for name in testing.__all__ if name.endswith("Contract")} - {testing.Contract}
    held = {base for path in CONTROLS for c in vars(load(path)).values() if isinstance(c, type) for base in c.__mro__}
    assert contracts <= held


EXEMPTION = """
from offline_trainer_core.testing import Contract

class TestPart(Contract):
    exempt = {{{name!r}: "this part is broken"}}

    def test_it_works(self):
        assert False
"""


@pytest.mark.parametrize(("name", "code"), [("test_it_works", 0), ("test_it_worked", 1)])
def test_a_check_is_left_out_by_its_name_and_a_misspelled_name_is_found(tmp_path, name, code) -> None:
    file = tmp_path / f"{name}_module.py"
    file.write_text(EXEMPTION.format(name=name), encoding="utf-8")
    assert pytest.main([str(file), *OPTIONS]) == code


def test_a_contract_without_its_factory_says_what_to_define() -> None:
    with pytest.raises(NotImplementedError, match=r"LossContract must define make\(\)"):
        testing.LossContract().make()
    with pytest.raises(NotImplementedError, match=r"LossContract must define example\(\)"):
        testing.LossContract().example()
