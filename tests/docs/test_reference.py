from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "docs/make_reference.py"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = spec_from_file_location("make_reference", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_up_to_date(maker: ModuleType) -> None:
    assert maker.reference() == maker.PAGE.read_text(encoding="utf-8"), "run: python docs/make_reference.py"


def test_every_component_is_in_it(maker: ModuleType) -> None:
    page = maker.reference()
    entries = maker.installed_registry(maker.DISTRIBUTIONS).entries()
    assert len(entries) > 100
    assert not [entry.key for entry in entries if entry.key not in page and f"[{entry.name}](" not in page]


def test_hooks_and_commands_are_in_it(maker: ModuleType) -> None:
    page = maker.reference()
    assert "`on_train_step_end(context, logs)`" in page
    assert page.index("`on_fit_start(context)`") < page.index("`on_fit_end(context)`")
    assert "`ot run [OPTIONS] CONFIG [OVERRIDE]...`" in page


def test_arguments_stand_in_a_table_with_their_descriptions(maker: ModuleType) -> None:
    doc = "Does it.\n\nArgs:\n    size: How large,\n        in steps.\n\nRaises:\n    ValueError: No.\n"
    assert maker._sections(doc) == ("Does it.", {"size": "How large, in steps."}, {"ValueError": "No."})


def test_making_it_imports_no_component() -> None:
    packages = ["torch", "ot_builtins", "ot_policy_constructor", "ot_imitation", "ot_offline_rl", "ot_example_plugins"]
    program = (
        f"import runpy, sys; runpy.run_path({str(SCRIPT)!r})['reference']();"
        f"print([name for name in {packages!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
