"""The public names are sorted, complete, importable, and cost nothing until they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import offline_trainer_core

SOURCE = ast.parse(Path(offline_trainer_core.__file__).read_text(encoding="utf-8"))


def names_that_type_checkers_see() -> set[str]:
    guarded = next(node for node in SOURCE.body if isinstance(node, ast.If))
    return {alias.name for node in ast.walk(guarded) if isinstance(node, ast.ImportFrom) for alias in node.names}


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_public_names_are_sorted_as_isort_sorts_them() -> None:
    def constants_classes_functions(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert offline_trainer_core.__all__ == sorted(offline_trainer_core.__all__, key=constants_classes_functions)


def test_type_checkers_see_the_names_that_exist_at_run_time() -> None:
    assert names_that_type_checkers_see() == set(offline_trainer_core.__all__)


def test_every_torch_free_name_is_importable_without_torch() -> None:
    heavy = {"RunContext", "Specimen", "build_spec"}
    names = ", ".join(name for name in offline_trainer_core.__all__ if name not in heavy)
    assert run_python(f"from offline_trainer_core import {names}; import sys; print('torch' in sys.modules)") == "False"


def test_importing_the_package_loads_none_of_its_rooms() -> None:
    code = "import offline_trainer_core, sys; print([m for m in sys.modules if m.startswith('offline_trainer_core.')])"
    assert run_python(code) == "[]"


def test_run_is_the_function_in_whatever_order_it_is_imported() -> None:
    for first in ("import offline_trainer_core.run", "from offline_trainer_core.run import check_config", ""):
        assert run_python(f"{first}\nfrom offline_trainer_core import run\nprint(type(run).__name__)") == "function"


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(offline_trainer_core, "no_such_name")
