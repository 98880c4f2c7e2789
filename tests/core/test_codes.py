"""Every code that a source can report has a meaning, and every meaning a code that is reported."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

from offline_trainer_core.codes import CODES as CORE_CODES
from ot_policy_constructor.ir.codes import CODES as MODEL_CODES


def folder_of(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


CODE = re.compile(r"[a-z]+(-[a-z]+)+")
NO_CODES = {
    "cross-checks",
    "data-dependent",
    "multi-model",
    "offline-trainer-core",
    "order-only",
    "sans-serif",
    "weights-only",
}
CORE = folder_of("offline_trainer_core")
ROOMS = [CORE / room for room in ("build", "cli", "config", "migrate", "plan", "run", "signature")]
MODELS = [folder_of("ot_policy_constructor")]


def texts_in(folders: list[Path]) -> set[str]:
    """Return every string in the sources below `folders`, the tables of the codes aside."""
    files = [file for folder in folders for file in folder.rglob("*.py") if file.name != "codes.py"]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def spelled_like_codes(texts: set[str]) -> set[str]:
    return {text for text in texts if CODE.fullmatch(text)} - NO_CODES


def test_every_code_that_is_reported_has_a_meaning() -> None:
    assert spelled_like_codes(texts_in(ROOMS)) - CORE_CODES.keys() == set()
    assert spelled_like_codes(texts_in(MODELS)) - CORE_CODES.keys() - MODEL_CODES.keys() == set()


def test_every_code_that_has_a_meaning_is_reported() -> None:
    assert CORE_CODES.keys() - texts_in(ROOMS) == set()
    assert MODEL_CODES.keys() - texts_in(MODELS) == set()


def test_a_code_has_one_meaning_of_one_line() -> None:
    assert CORE_CODES.keys() & MODEL_CODES.keys() == set()
    for meaning in [*CORE_CODES.values(), *MODEL_CODES.values()]:
        assert meaning.endswith(".")
        assert "\n" not in meaning


def test_a_code_without_a_meaning_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "rule.py").write_text("findings.at(node, 'never-heard-of', 'message')")
    assert spelled_like_codes(texts_in([tmp_path])) == {"never-heard-of"}
