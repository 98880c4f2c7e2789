"""Local modules and `_target_` are read, never run, and only where the settings allow it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import resolve_config
from offline_trainer_core.plan import check_config_tree

EXPERIMENT = """
schema_version: 1
run: {name: test, out_dir: runs}
model:
  sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 2]}]}
data: {_type_: data.tensors, batch_size: 8}
io: {_type_: io.mapping, model_kwargs: {x: obs}, targets: {y: action}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}
"""


def codes(report: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.config_path) for problem in report.problems]


SOURCE = """
from extensions_for_plan.inner import Far

raise ImportError("imported")


class Mine:
    def __init__(self, delta: float = 1.0): ...


def register(registry):
    registry.register_module("loss.mine", Mine)
    registry.register_module(key="loss.far", target=Far, signature_policy="best_effort")
    registry.register_module("loss.text", "extensions_for_plan.inner:Far")
    registry.register_op("twice", lambda x: 2 * x)
"""
SETTINGS = "settings: {allowed_import_prefixes: [extensions_for_plan]}\nimports: [extensions_for_plan.mine]\n"


@pytest.fixture
def extensions(tmp_path: Path) -> Path:
    folder = tmp_path / "extensions_for_plan"
    folder.mkdir()
    (folder / "mine.py").write_text(SOURCE)
    (folder / "inner.py").write_text("class Far:\n    def __init__(self, depth: int): ...\n")
    return folder


def using(loss: str, settings: str = SETTINGS) -> str:
    return EXPERIMENT.replace("{_type_: loss.torch, fn: {_type_: nn.MSELoss}}", loss) + settings


def test_components_of_a_local_module_are_known_without_importing_it(check: Any, extensions: Path) -> None:
    report = check(using("{_type_: loss.mine, delta: 2}"))
    assert report.problems == ()
    entry = report.plan.entries["loss"]
    assert (entry.label, entry.reference) == ("local code", "extensions_for_plan.mine:Mine")
    [module] = report.plan.local_modules
    assert (module.name, module.folder) == ("extensions_for_plan.mine", str(extensions.parent))
    assert not any(name.startswith("extensions_for_plan") for name in sys.modules)


def test_a_module_of_the_working_folder_goes_before_one_on_the_path(
    parts: Registry, extensions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, beside = extensions.parent / "elsewhere", extensions.parent / "beside"
    shutil.copytree(extensions, elsewhere / extensions.name)
    beside.mkdir()
    monkeypatch.syspath_prepend(elsewhere)
    (beside / "experiment.yaml").write_text(using("{_type_: loss.mine}"))

    def folder_of_the_module() -> str | None:
        [module] = check_config_tree(resolve_config(beside / "experiment.yaml"), parts).plan.local_modules
        return module.folder

    assert folder_of_the_module() == str(extensions.parent)
    shutil.rmtree(extensions)
    assert folder_of_the_module() is None


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("{_type_: loss.mine, delt: 2}", [("unknown-argument", "loss.delt")]),
        ("{_type_: loss.text, depth: x}", [("wrong-type", "loss.depth")]),
        ("{_type_: loss.mien}", [("unknown-component", "loss._type_")]),
    ],
)
def test_local_components_are_checked_like_installed_ones(
    check: Any, extensions: Path, loss: str, expected: Any
) -> None:
    assert codes(check(using(loss))) == expected


def test_a_best_effort_registration_only_warns(check: Any, extensions: Path) -> None:
    report = check(using("{_type_: loss.far, dept: 2}"))
    assert codes(report) == [("unknown-argument", "loss.dept")]
    assert report.errors == ()


def test_a_changed_local_module_is_another_plan(check: Any, extensions: Path) -> None:
    before = check(using("{_type_: loss.mine}")).plan.digest()
    (extensions / "mine.py").write_text(SOURCE + "\n# changed\n")
    assert check(using("{_type_: loss.mine}")).plan.digest() != before


def test_a_key_that_is_computed_cannot_be_seen_and_is_no_error(check: Any, extensions: Path) -> None:
    (extensions / "mine.py").write_text("def register(registry):\n    registry.register_module(f'loss.{1}', print)\n")
    report = check(using("{_type_: loss.one}"))
    assert codes(report) == [("unseen-component", "loss._type_")]
    assert report.errors == ()
    assert "not visible without importing: extensions_for_plan.mine:2" in report.layers[1].detail


def test_a_registry_that_is_handed_on_cannot_be_seen_either(check: Any, extensions: Path) -> None:
    (extensions / "mine.py").write_text("import other\ndef register(registry):\n    other.register(registry)\n")
    assert codes(check(using("{_type_: loss.one}"))) == [("unseen-component", "loss._type_")]


@pytest.mark.parametrize(
    ("settings", "code", "place"),
    [
        ("imports: [extensions_for_plan.mine]\n", "import-not-allowed", "imports[0]"),
        (SETTINGS.replace("[extensions_for_plan]", "[extensions]"), "import-not-allowed", "imports[0]"),
        (SETTINGS.replace("{allowed", "{allow_imports: false, allowed"), "import-not-allowed", "imports[0]"),
        (SETTINGS.replace("[extensions_for_plan.mine]", "[extensions_for_plan.mien]"), "missing-module", "imports[0]"),
        (SETTINGS.replace("plan.mine]", "plan.mine, extensions_for_plan.mine]"), "duplicate-import", "imports[1]"),
        (SETTINGS.replace("[extensions_for_plan.mine]", "[extensions_for_plan.inner]"), "no-register", "imports[0]"),
        (SETTINGS.replace("[extensions_for_plan.mine]", "extensions_for_plan.mine"), "wrong-type", "imports"),
    ],
)
def test_an_import_that_is_not_right_is_reported_at_its_own_path(
    check: Any, extensions: Path, settings: str, code: str, place: str
) -> None:
    assert codes(check(EXPERIMENT + settings)) == [(code, place)]


TARGET = "{_target_: 'extensions_for_plan.inner:Far', depth: 3}"


def test_a_target_is_off_unless_the_settings_allow_it(check: Any, extensions: Path) -> None:
    assert codes(check(using(TARGET, ""))) == [("target-not-allowed", "loss._target_")]
    only_on = "settings: {allow_target: true}\n"
    assert codes(check(using(TARGET, only_on))) == [("import-not-allowed", "loss._target_")]


def test_an_allowed_target_is_planned_and_checked(
    check: Any, extensions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(extensions.parent))
    settings = "settings: {allow_target: true, allowed_import_prefixes: [extensions_for_plan]}\n"
    report = check(using(TARGET, settings))
    assert report.problems == ()
    assert report.plan.entries["loss"].reference == "extensions_for_plan.inner:Far"
    [target] = report.plan.targets()
    assert Registry().with_local([target]).find("_target_.extensions_for_plan.inner:Far") == target
    dotted = TARGET.replace(":Far", ".Far")
    assert check(using(dotted, settings)).plan.entries["loss"].reference == "extensions_for_plan.inner:Far"
    assert codes(check(using(TARGET.replace("depth", "dept"), settings))) == [("unknown-argument", "loss.dept")]
