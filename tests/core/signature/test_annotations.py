"""Values are held against annotations; what is not understood is let through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.signature import choices, find_misfit, read_type

FITS: list[tuple[str, Any]] = [
    ("int", 3),
    ("float", 3),
    ("float", 1e-3),
    ("bool", False),
    ("str", "x"),
    ("None", None),
    ("int | None", None),
    ("Optional[int]", 3),
    ("typing.Optional[int]", None),
    ("Union[str, list[str]]", ["a"]),
    ("t.Literal['a', 'b']", "a"),
    ("Literal[1, 2]", 2),
    ("list[int]", [1, 2]),
    ("list[int]", []),
    ("tuple[int, int]", [1, 2]),
    ("tuple[int, ...]", [1, 2, 3]),
    ("tuple", [1]),
    ("Sequence[float]", [1, 2.5]),
    ("set[str]", ["a"]),
    ("dict[str, int]", {"a": 1}),
    ("Mapping[str, list[str]]", {"a": ["b"]}),
    ("Path", "a/b"),
    ("str | os.PathLike[str]", "a/b"),
    ("Annotated[int, 'pixels']", 3),
    ("'int | None'", 3),
    ("Any", object()),
    ("str | Sequence[str]", "text"),
    ("float", float("inf")),
    ("Annotated[float, Interval(ge=0, le=1)]", 1),
    ("Annotated[int, Ge(1), Lt(8)]", 7),
    ("Annotated[int, Interval(ge=1)] | None", None),
    ("Annotated[str, ComponentOf('nn')]", "anything"),
    ("Callable[[int], int]", {"_type_": "x.y"}),
    ("dict[str, Any]", {"_type_": "x.y"}),
    ("type[int]", {"_target_": "x.y"}),
    ("tuple[()]", []),
    ("tuple[tuple[int, int], str]", [[1, 2], "a"]),
    ("dict[int, str]", {"1": "a"}),
    ("Literal[1, 'auto', None]", None),
    ("Tensor", 3),
    ("list[Tensor]", [3]),
    ("Mode", "anything"),
    ("not an annotation at all (", 3),
    ("", 3),
]

MISFITS: list[tuple[str, Any, str]] = [
    ("int", True, "int"),
    ("int", float("inf"), "int"),
    ("int", {"_type_": "x.y"}, "int"),
    ("list[int]", [{"_type_": "x.y"}], "list[int]"),
    ("list[int]", {"_type_": "loss.y"}, "list[int]"),
    ("float", False, "float"),
    ("bool", 1, "bool"),
    ("str", {"_type_": "x.y"}, "str"),
    ("Literal['a']", {"_type_": "x.y"}, "one of 'a'"),
    ("Sequence[str]", "text", "Sequence[str]"),
    ("Iterable[int]", "12", "Iterable[int]"),
    ("Callable[[int], int]", "x", "Callable[[int], int]"),
    ("type[int]", "x", "type[int]"),
    ("Path", ["a"], "Path"),
    ("tuple[int, int]", "12", "tuple[int, int]"),
    ("tuple[tuple[int, int], str]", [[1], "a"], "tuple[tuple[int, int], str]"),
    ("dict[Literal['a', 'b'], int]", {"c": 1}, "dict[one of 'a', 'b', int]"),
    ("Literal[1, 'auto']", "1", "one of 1, 'auto'"),
    ("Annotated[float, Interval(ge=0, le=1)]", 1.5, "float at least 0 and at most 1"),
    ("Annotated[float, Gt(0)]", 0, "float above 0"),
    ("Annotated[float, Gt(0)]", float("nan"), "float above 0"),
    ("Annotated[int, Interval(ge=1)] | None", 0, "int at least 1 or null"),
    ("Sequence[Annotated[int, Ge(1)]]", [4, 0], "Sequence[int at least 1]"),
    ("int", 64.0, "int"),
    ("int", "64", "int"),
    ("int", None, "int"),
    ("int", [3], "int"),
    ("float", "1e-3", "float"),
    ("bool", "yes", "bool"),
    ("bool", 3, "bool"),
    ("str", 3, "str"),
    ("int | None", "x", "int or null"),
    ("Optional[int]", "x", "int or null"),
    ("Union[int, list[int]]", ["a"], "int or list[int]"),
    ("Literal['mean', 'sum']", "avg", "one of 'mean', 'sum'"),
    ("Literal[1]", True, "one of 1"),
    ("list[int]", 3, "list[int]"),
    ("list[int]", [1, "2"], "list[int]"),
    ("list[str]", "text", "list[str]"),
    ("tuple[int, int]", [1, 2, 3], "tuple[int, int]"),
    ("tuple[float, ...]", [1, "x"], "tuple[float, ...]"),
    ("Sequence[int]", 3, "Sequence[int]"),
    ("dict[str, int]", [1], "dict[str, int]"),
    ("dict[str, int]", {"a": "b"}, "dict[str, int]"),
    ("Mapping[str, str]", "x", "Mapping[str, str]"),
    ("Path", 3, "Path"),
    ("list[list[int]]", [[1], ["x"]], "list[list[int]]"),
]


def expectation(annotation: str, default: str, value: Any, *, module: str = "", lazy: bool = False) -> str | None:
    """Return what is expected of the value as a whole, where any part of it does not fit."""
    misfit = find_misfit(annotation, default, value, module=module, null_is_lazy=lazy)
    if misfit is None:
        return None
    return str(read_type(annotation, module=module)) if misfit.keys else misfit.expected


@pytest.mark.parametrize(("annotation", "value"), FITS)
def test_these_fit(annotation: str, value: Any) -> None:
    assert expectation(annotation, "", value) is None


@pytest.mark.parametrize(("annotation", "value", "expected"), MISFITS)
def test_these_do_not_fit(annotation: str, value: Any, expected: str) -> None:
    assert expectation(annotation, "", value) == expected


def test_the_default_itself_always_fits() -> None:
    assert expectation("int", "None", None) is None
    assert expectation("int", "3", None) == "int"


def test_null_may_stand_for_a_lazy_dimension() -> None:
    assert expectation("int", "", None, lazy=True) is None
    assert expectation("list[int]", "", [None, 64], lazy=True) is None
    assert expectation("list[int]", "", ["x", 64], lazy=True) == "list[int]"


@pytest.mark.parametrize(
    ("default", "value", "expected"),
    [
        ("0.1", "0.2", "number"),
        ("3", "1e-3", "number"),
        ("True", "yes", "bool"),
        ("0", "same", None),
        ("0.1", [0.1, 0.2], None),
        ("None", "0.2", None),
        ("'cuda'", 0, None),
        ("True", "path/to/weights", None),
        ("SOMETHING", "0.2", None),
    ],
)
def test_without_an_annotation_only_certain_slips_are_told(default: str, value: Any, expected: str | None) -> None:
    assert expectation("", default, value) == expected


@pytest.fixture
def aliases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "aliases").mkdir()
    (tmp_path / "aliases/origin.py").write_text("from typing import Literal\nStage = Literal['train', 'val']\n")
    source = (
        "from pathlib import Path\nfrom collections.abc import Sequence as Many\nfrom aliases.origin import Stage\n"
        "Where = str | Many[int]\nclass Mapping: ...\nfrom typing import TypeVar\n"
        "T = TypeVar('T')\nPair = tuple[T, T]\n"
    )
    (tmp_path / "aliases/user.py").write_text(source)
    return "aliases.user"


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        ("Where", "x", None),
        ("Where", [1], None),
        ("Where", {"a": 1}, "str or Sequence[int]"),
        ("Where", 3, "str or Sequence[int]"),
        ("Stage", "train", None),
        ("Stage", "tran", "one of 'train', 'val'"),
        ("Stage | None", "tran", "one of 'train', 'val' or null"),
        ("Mapping", 3, None),
        ("Path", 3, "Path"),
        ("Pair[int]", "x", "tuple[int, int]"),
        ("Pair[int]", [1, 2], None),
        ("Pair", ["x", 1], None),
        ("int", "x", "int"),
    ],
)
def test_names_mean_what_their_module_says(aliases: str, annotation: str, value: Any, expected: str | None) -> None:
    assert expectation(annotation, "", value, module=aliases) == expected


def test_choices_are_found_behind_aliases(aliases: str) -> None:
    assert choices("Stage | None", module=aliases) == ("train", "val")
    assert choices("Literal['a', 'b'] | int") == ("a", "b")
    assert choices("int") == ()
