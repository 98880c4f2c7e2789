"""A signature read from source is the one that Python sees, and reading it runs nothing."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

from offline_trainer_core.signature import Signature, read_signature
from offline_trainer_core.signature.live import signature_of

NUMBERS = count()

READABLE = {
    "function": "def X(a, b=1, *rest, c, d=2, **more): ...",
    "positional_only": "def X(a, /, b, *, c=3): ...",
    "class_with_init": "class X:\n    def __init__(self, a: int, b: str = 'x'): ...",
    "class_without_init": "class X: ...",
    "inherited_init": "class A:\n    def __init__(self, a): ...\nclass X(A): ...",
    "overridden_init": "class A:\n    def __init__(self, a): ...\nclass X(A):\n    def __init__(self, b): ...",
    "diamond": "class R:\n    def __init__(self, r): ...\nclass A(R): ...\nclass B(R):\n"
    "    def __init__(self, b): ...\nclass X(A, B): ...",
    "generic": "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass X(Generic[T]):\n"
    "    def __init__(self, a: T): ...",
    "abstract": "from abc import ABC, ABCMeta\nclass A(metaclass=ABCMeta):\n    def __init__(self, a): ...\n"
    "class X(A, ABC): ...",
    "dataclass": "from dataclasses import dataclass, field\nfrom typing import ClassVar\n@dataclass\nclass X:\n"
    "    a: int\n    b: list = field(default_factory=list)\n    c: int = field(init=False, default=1)\n"
    "    d: ClassVar[int] = 3\n    e: str = 'x'",
    "dataclass_options": "import dataclasses\n@dataclasses.dataclass(frozen=True, kw_only=True)\nclass X:\n"
    "    a: int\n    b: int = 2",
    "dataclass_kw_only_marker": "from dataclasses import KW_ONLY, dataclass, field\n@dataclass\nclass X:\n    a: int\n"
    "    _: KW_ONLY\n    b: int = 2\n    c: int = field(kw_only=False, default=1)",
    "dataclass_inheritance": "from dataclasses import dataclass\n@dataclass\nclass A:\n    a: int\n    b: int = 1\n"
    "@dataclass\nclass X(A):\n    b: int = 5\n    c: int = 2",
    "plain_child_of_dataclass": "from dataclasses import dataclass\n@dataclass\nclass A:\n    a: int\nclass X(A): ...",
    "dataclass_with_own_init": "from dataclasses import dataclass\n@dataclass\nclass X:\n    a: int = 1\n"
    "    def __init__(self, b): ...",
    "dataclass_without_init": "from dataclasses import dataclass\nclass A:\n    def __init__(self, z): ...\n"
    "@dataclass(init=False)\nclass X(A):\n    a: int = 1",
    "named_tuple": "from typing import NamedTuple\nclass X(NamedTuple):\n    a: int\n    b: str = 'x'",
    "alias": "class A:\n    def __init__(self, a): ...\nX = A",
    "import": "from fractions import Fraction as F\nfrom textwrap import dedent as X",
    "redefined": "def X(a): ...\ndef X(b): ...",
    "overload": "from typing import overload\n@overload\ndef X(a: int): ...\n@overload\n"
    "def X(a: str): ...\ndef X(a): ...",
    "cached": "import functools\n@functools.lru_cache(maxsize=None)\ndef X(a, b=1): ...",
    "guarded_import": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nowhere import A\nelse:\n"
    "    class A:\n        def __init__(self, a): ...\nclass X(A): ...",
    "new": "class X:\n    def __new__(cls, a, b=1): return object.__new__(cls)",
    "inherited_new": "class A:\n    def __new__(cls, a): return object.__new__(cls)\nclass X(A): ...",
    "partial": "from functools import partial\ndef f(a, b, c=3, *, d=4): ...\nX = partial(f, 1, c=5)",
    "partial_of_class": "import functools\nclass A:\n    def __init__(self, a, b, c): ...\n"
    "X = functools.partial(A, b=1)",
    "attrs": "import attrs\n@attrs.define\nclass X:\n    a: int\n    b: list = attrs.field(factory=list)\n"
    "    c: int = attrs.field(init=False, default=1)\n    d: int = attrs.field(kw_only=True)\n    _e: str = 'x'\n"
    "    f: int = attrs.field(default=2, alias='g')",
    "attrs_without_annotations": "import attr\n@attr.s\nclass X:\n    a = attr.ib()\n    b = attr.ib(default=1)\n"
    "    c: int = 3\n    d = attr.ib()\n    @d.default\n    def later(self): return 4",
    "attrs_inheritance": "from attrs import define\n@define\nclass A:\n    a: int\n    b: int = 1\n"
    "@define\nclass X(A):\n    a: int = 5\n    c: int = 2",
    "attrs_keyword_only": "from attrs import frozen\nfrom typing import ClassVar\n@frozen(kw_only=True)\nclass X:\n"
    "    a: int\n    b: ClassVar[int] = 2",
    "attrs_with_own_init": "from attrs import define\n@define(init=False)\nclass X:\n    a: int\n"
    "    def __init__(self, z): ...",
}

UNREADABLE = {
    "unknown_decorator": "def wrap(f): return lambda z: f\n@wrap\ndef X(a): ...",
    "unknown_class_decorator": "def wrap(c): return c\n@wrap\nclass X:\n    def __init__(self, a): ...",
    "new_and_init": "class X:\n    def __new__(cls, a): ...\n    def __init__(self, b): ...",
    "own_signature": "class X:\n    __signature__ = None\n    def __init__(self, a): ...",
    "attrs_transformed": "import attrs\n@attrs.define(field_transformer=print)\nclass X:\n    a: int",
    "partial_of_the_unknown": "from functools import partial\nX = partial(nowhere, 1)",
    "metaclass": "class M(type):\n    def __call__(cls, z): ...\nclass X(metaclass=M):\n    def __init__(self, a): ...",
    "bound_twice_under_conditions": "try:\n    def X(a): ...\nexcept ImportError:\n    def X(b): ...",
    "computed": "X = (lambda: lambda a: a)()",
    "builtin_base": "class X(dict): ...",
    "computed_base": "def base(): return object\nclass X(base()): ...",
    "init_by_assignment": "def init(self, a): ...\nclass X:\n    __init__ = init",
}


def write(folder: Path, source: str) -> str:
    name = f"signature_sample_{next(NUMBERS)}"
    (folder / f"{name}.py").write_text(source)
    return name


def shape(signature: Signature) -> list[tuple[str, str, bool]]:
    return [(p.name, p.kind, p.has_default) for p in signature.parameters]


@pytest.mark.parametrize("case", READABLE)
def test_source_and_python_agree(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = write(tmp_path, READABLE[case])
    read = read_signature(f"{name}:X")
    assert name not in sys.modules
    assert read is not None
    assert shape(read) == shape(signature_of(importlib.import_module(name).X))


@pytest.mark.parametrize("case", UNREADABLE)
def test_what_source_cannot_tell_is_not_guessed(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    assert read_signature(f"{write(tmp_path, UNREADABLE[case])}:X") is None


def test_reading_runs_neither_the_module_nor_its_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "trapped"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('sprung')")
    (package / "inner.py").write_text("raise SystemExit('sprung')\nclass X:\n    def __init__(self, a): ...")
    read = read_signature("trapped.inner:X")
    assert read is not None
    assert read.names == ("a",)
    with pytest.raises(SystemExit):
        importlib.import_module("trapped.inner")


def test_re_exports_are_followed_through_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    files = {
        "reexport/__init__.py": "from .public import *\nfrom . import deep as far\n",
        "reexport/public.py": "from .private import Hidden as Shown\n",
        "reexport/private.py": "from reexport.deep.end import Base\nclass Hidden(Base): ...\n",
        "reexport/deep/end.py": "class Base:\n    def __init__(self, depth=3): ...\n",
        "reexport/circle.py": "from reexport.circle import X\n",
    }
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    read = read_signature("reexport:Shown")
    assert read is not None
    assert read.text("X") == "X(depth=3)"
    assert read.file == str(tmp_path / "reexport/private.py")
    assert read_signature("reexport.circle:X") is None


def test_methods_of_classes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = (
        "class X:\n    @classmethod\n    def load(cls, path, strict=True): ...\n"
        "    @staticmethod\n    def join(a): ...\n"
    )
    name = write(tmp_path, source)
    texts = [read.text("x") for attr in ("load", "join") if (read := read_signature(f"{name}:X.{attr}")) is not None]
    assert texts == ["x(path, strict=True)", "x(a)"]


def test_a_method_may_be_that_of_a_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "class A:\n    @classmethod\n    def load(cls, path): ...\nclass X(A): ...\n"
    name = write(tmp_path, source)
    read = read_signature(f"{name}:X.load")
    assert read is not None
    assert read.names == ("path",)
    assert read_signature(f"{name}:X.save") is None


def test_a_signature_carries_its_place_and_docstring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = write(tmp_path, "\n\nclass X:\n    '''Says what it is for.'''\n    def __init__(self, a): ...\n")
    read = read_signature(f"{name}:X")
    assert read is not None
    assert (read.line, read.doc) == (3, "Says what it is for.")
    assert read.file == str(tmp_path / f"{name}.py")


def test_a_changed_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = write(tmp_path, "def X(old): ...")
    first = read_signature(f"{name}:X")
    file = tmp_path / f"{name}.py"
    file.write_text("def X(new): ...")
    importlib.invalidate_caches()
    import os

    os.utime(file, ns=(1, 1))
    second = read_signature(f"{name}:X")
    assert first is not None
    assert second is not None
    assert (first.names, second.names) == (("old",), ("new",))


def test_a_folder_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "local").mkdir()
    (tmp_path / "twin.py").write_text("def X(on_path): ...")
    (tmp_path / "local/twin.py").write_text("def X(in_folder): ...")
    near, far = read_signature("twin:X", [str(tmp_path / "local")]), read_signature("twin:X")
    assert near is not None
    assert far is not None
    assert (near.names, far.names) == (("in_folder",), ("on_path",))


@pytest.mark.parametrize(
    "reference", ["no_such_module:X", "json:no_such_name", "json:decoder", "_socket:socket", "json"]
)
def test_what_is_not_there_or_not_python_is_none(reference: str) -> None:
    assert read_signature(reference) is None


@pytest.mark.parametrize("source", ["def X(:", "def X(a): ...\x00"])
def test_a_file_that_does_not_parse_is_none(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    assert read_signature(f"{write(tmp_path, source)}:X") is None


def test_the_standard_library_agrees_with_inspect() -> None:
    references = [
        "json.encoder:JSONEncoder",
        "fractions:Fraction.from_float",
        "collections:ChainMap",
        "argparse:Action",
    ]
    references += ["logging:Logger", "logging.handlers:RotatingFileHandler", "threading:Thread", "queue:PriorityQueue"]
    for reference in references:
        module, _, name = reference.partition(":")
        target = importlib.import_module(module)
        for part in name.split("."):
            target = getattr(target, part)
        read = read_signature(reference)
        assert read is not None, reference
        assert shape(read) == shape(signature_of(target))


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_reading_torch_does_not_load_torch() -> None:
    code = (
        "import sys; from offline_trainer_core.signature import read_signature\n"
        "assert read_signature('torch.nn.modules.linear:Linear') is not None"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint('torch' in sys.modules)"], capture_output=True, text=True
    )
    assert done.stdout.strip() == "False", done.stderr
