"""A plain class attribute is read from source, along the bases, and nothing is imported."""

from __future__ import annotations

import pytest

from offline_trainer_core.signature import class_attribute

SOURCE = """
raise RuntimeError("imported")
from other_bases import Elsewhere

class Parent:
    harmless = ("a", "b")

class Child(Parent): ...

class Own(Parent):
    harmless: bool = True

class Computed:
    harmless = tuple("ab")

class Stranger(Elsewhere): ...

class OfAStranger(Unknown):
    harmless = ("a",)

class Without: ...

def function(): ...
"""


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("Parent", ("a", "b")),
        ("Child", ("a", "b")),
        ("Own", True),
        ("Computed", None),
        ("Stranger", ("c",)),
        ("OfAStranger", ("a",)),
        ("Without", None),
        ("function", None),
        ("NotThere", None),
    ],
)
def test_an_attribute_is_read_as_python_would_find_it(tmp_path, target, expected) -> None:
    (tmp_path / "with_attributes.py").write_text(SOURCE)
    (tmp_path / "other_bases.py").write_text('class Elsewhere:\n    harmless = ("c",)\n')
    assert class_attribute(f"with_attributes:{target}", "harmless", [str(tmp_path)]) == expected


def test_a_module_that_is_not_there_has_none() -> None:
    assert class_attribute("no_such_module:Class", "harmless") is None
