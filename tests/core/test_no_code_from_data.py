"""Nothing in our packages can turn data into code: what could is in none of their syntax trees."""

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for pattern in ("core/offline_trainer_core", "packages/*/ot_*")
    for path in REPOSITORY.glob(f"{pattern}/**/*.py")
)
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
BUILTINS = {"eval", "exec", "compile", "__import__"}
UNSAFE = {("os", "system"), ("os", "popen"), ("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load")}
KEYWORDS = {"weights_only": True, "allow_pickle": False, "shell": False}
"""Arguments that decide whether data may be code, with the only value that they may have."""


def dangers(tree: ast.AST) -> list[str]:
    return [f"line {node.lineno}: {what}" for node in ast.walk(tree) for what in dangers_of(node)]


def dangers_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if (node.module or "").partition(".")[0] in MODULES else []
    if not isinstance(node, ast.Call):
        return []
    called = ast.unparse(node.func)
    found = [called] if called in BUILTINS or tuple(called.split(".")) in UNSAFE else []
    for keyword in node.keywords:
        if keyword.arg in KEYWORDS and ast.unparse(keyword.value) != str(KEYWORDS[keyword.arg]):
            found.append(f"{called}({keyword.arg}={ast.unparse(keyword.value)})")
    given = {keyword.arg for keyword in node.keywords}
    if called == "torch.load" and "weights_only" not in given:
        found.append("torch.load without weights_only")
    return found


def test_no_source_can_turn_data_into_code():
    assert len(SOURCES) > 100
    found = {str(path.relative_to(REPOSITORY)): dangers(ast.parse(path.read_text())) for path in SOURCES}
    assert {path: dangers for path, dangers in found.items() if dangers} == {}


@pytest.mark.parametrize(
    "source",
    [
        *("import pickle", "from dill import loads", "eval(text)", "exec(text)", "__import__(name)", "os.system(text)"),
        *("torch.load(path)", "torch.load(path, weights_only=False)", "torch.load(path, weights_only=safe)"),
        *("np.load(path, allow_pickle=True)", "yaml.load(text)", "subprocess.run(text, shell=True)"),
    ],
)
def test_what_could_is_found(source):
    assert dangers(ast.parse(source))


def test_torch_is_recent_enough_to_load_weights_only_safely():
    """Before 2.10, `weights_only=True` could be made to corrupt the memory (CVE-2026-24747)."""
    assert '"torch>=2.10"' in (REPOSITORY / "core/pyproject.toml").read_text()
