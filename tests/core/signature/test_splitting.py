"""A module that is parsed in parts says what it says when it is parsed as a whole."""

from __future__ import annotations

import ast
import sysconfig
from pathlib import Path

import pytest

from offline_trainer_core.signature.source import Module, bindings_of
from offline_trainer_core.signature.splitting import parse_definition, split_source

STANDARD_LIBRARY = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))


def shown(binding: object) -> str:
    """Spell out a binding, but for the bodies of methods."""
    if not isinstance(binding, ast.AST):
        return repr(binding)
    for node in binding.body if isinstance(binding, ast.ClassDef) else ():
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name != "__init__":
            node.body = []
            node.end_lineno = node.end_col_offset = None
    if isinstance(binding, ast.ClassDef):
        binding.end_lineno = binding.end_col_offset = None
    return ast.dump(binding, include_attributes=True)


def bindings_in_parts(source: str) -> dict[str, str]:
    module = Module("sample", "sample.py", False, source)
    whole = bindings_of(ast.parse(source).body, Module("sample", "sample.py", False, ""))
    return {name: shown(module.bindings.get(name)) for name in whole}


def bindings_as_a_whole(source: str) -> dict[str, str]:
    return {
        name: shown(binding)
        for name, binding in bindings_of(ast.parse(source).body, Module("sample", "sample.py", False, "")).items()
    }


def test_every_name_of_the_standard_library_is_bound_as_in_the_whole_module() -> None:
    parted = 0
    for file in STANDARD_LIBRARY:
        source = file.read_text(encoding="utf-8")
        assert bindings_in_parts(source) == bindings_as_a_whole(source), file.name
        parted += split_source(source) is not None
    assert parted > 0.8 * len(STANDARD_LIBRARY)  # else nothing was compared


@pytest.mark.parametrize(
    "source",
    [
        'TEXT = """\nclass Quoted:\n    """\nclass Real: ...\n',
        'def f(\n    a,\n    b=[\n1,\n],\n):\n    """One.\n\nclass Inside:\n"""\n    return a\nclass After: ...\n',
        "class Twice:\n    x = 1\nclass Twice:\n    y = 2\n",
        "class A: ...\nif True:\n    class A: ...\n",
        "try:\n    import a\nexcept ImportError:\n    a = None\nelse:\n    b = 1\ndef g(): ...\n",
        "@decorator(\n    1,\n)\n# a comment\n@other\nclass Decorated:\n    pass\nx = 1\n",
        "x = (\n1,\n)\nasync def h(): ...\ny = \\\nx\n",
        "def f(): ...; x = 1\n",
        "class A: x = '''\ndef no(): ...\n'''\nz = 1\n",
        'class A:\n    """Such as\n    def f(x):\n        return x\n    """\n    c = 1\n',
        'class A:\n    def g(self,\n        a={}\n    ):\n        b = """\n    c = 1\n"""\n    d = 2\n',
    ],
)
def test_texts_that_are_hard_to_cut_are_still_read_right(source: str) -> None:
    assert bindings_in_parts(source) == bindings_as_a_whole(source)


def test_a_definition_is_parsed_alone_at_its_own_lines() -> None:
    source = "import os\n\n\nclass A:\n    def f(self): ...\n\n\nclass B:\n    pass\n"
    split = split_source(source)
    assert split is not None
    assert [type(statement).__name__ for statement in split.rest.body] == ["Import"]
    definition = parse_definition(source, split.definitions["B"])
    assert isinstance(definition, ast.ClassDef)
    assert (definition.name, definition.lineno) == ("B", 8)
