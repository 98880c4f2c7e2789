"""A slip in a name is marked by the schema exactly where `ot check` reports it, in every example."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.catalogue import Registry, installed_registry
from offline_trainer_core.config import resolve_config
from offline_trainer_core.plan import check_config_tree

EXAMPLES = Path(__file__).parents[3] / "examples"
ALONE = [
    file
    for file in sorted(EXAMPLES.rglob("*.yaml"))
    if re.search(r"^model:", text := file.read_text(encoding="utf-8"), re.MULTILINE)
    and re.search(r"^run:", text, re.MULTILINE)
    and not re.search(r"^(defaults|imports|templates):|config_path|_target_", text, re.MULTILINE)
]
SLIPS = {"unknown-key", "unknown-argument", "unknown-component", "reserved-key"}
MEANINGLESS = {"missing-type", "wrong-type", "missing-key", "one-form"}
"""What a mapping without its `_type_` is called."""
LEFT_TO_THE_CHECK = {
    r"^(params|x-\w+)(\.|$)": "without it the text does not resolve, and nothing more is reported",
    r"^model\.(components\.\w+\.)?graph\.(steps|nodes)\.\w+\.kwargs\.": "what an operation takes hangs on its `call`",
    r"^algorithm\.context\.": "the reader of the imitation algorithms knows what an entry may hold",
    r"^optimizer\.param_groups\.": "a reader knows the keywords of the class, an annotation does not",
    r"^metrics\.\d+\.type$": "a reader knows the classes of torchmetrics",
}
"""Paths where the schema lets through what the check reports, and why."""
Place = tuple[str | int, ...]


def slipped(word: str) -> str:
    """Return a word with two letters exchanged, or one too many."""
    for index in range(len(word) // 2, len(word) - 1):
        if word[index].isalpha() and word[index + 1].isalpha() and word[index] != word[index + 1]:
            return f"{word[:index]}{word[index + 1]}{word[index]}{word[index + 2 :]}"
    return f"{word}x"


def names(value: Any, here: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield the place of every key, and of every value that names a component, with what it is."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(key, str):
            yield (*here, key), "key"
        if key in ("_type_", "type") or (key == "call" and str(item).startswith("op:")):
            yield (*here, key), "value"
        yield from names(item, (*here, key))


def with_slip(document: Any, place: Place, what: str) -> tuple[Any, str]:
    """Return the document with a slip at `place`, and the path under which that is found."""
    changed = copy.deepcopy(document)
    *above, key = place
    holder = changed
    for step in above:
        holder = holder[step]
    if what == "value":
        holder[key] = slipped(holder[key])
        return changed, ".".join(map(str, place))
    items = {slipped(name) if name == key else name: item for name, item in holder.items()}
    holder.clear()
    holder.update(items)
    return changed, ".".join(map(str, (*above, slipped(str(key)))))


def is_left(place: Place) -> bool:
    return any(re.search(pattern, ".".join(map(str, place))) for pattern in LEFT_TO_THE_CHECK)


def reported(document: Any, registry: Registry, codes: set[str]) -> set[str]:
    """Return where `ot check` reports problems of these codes."""
    report = check_config_tree(resolve_config(document), registry)
    places = (problem.config_path for problem in report.errors if problem.code in codes)
    return {re.sub(r"\[(\d+)\]", r".\1", place) for place in places}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return installed_registry()


@pytest.mark.parametrize("slips", [20, pytest.param(1000, marks=pytest.mark.torture)])
@pytest.mark.parametrize("file", ALONE, ids=lambda file: str(file.relative_to(EXAMPLES)))
def test_the_schema_marks_what_the_check_reports(
    file: Path, slips: int, registry: Registry, marks: Any, written: Any
) -> None:
    document = written(file.read_text(encoding="utf-8"))
    found = [(place, what) for place, what in names(document) if not is_left(place)]
    assert len(found) > 20
    different = []
    for place, what in found[len(file.name) % 3 :: max(3, len(found) // slips)]:
        changed, path = with_slip(document, place, what)
        if what == "key" and place[-1] == "_type_":  # of what else stands there nothing is sure
            above = path.rpartition(".")[0]
            checked = any(p.startswith(above) for p in reported(changed, registry, SLIPS | MEANINGLESS))
            marked = any(p.startswith(above) for p in marks(changed))
        else:
            checked, marked = path in reported(changed, registry, SLIPS), path in marks(changed)
        if checked != marked:
            different.append((path, f"checked: {checked}, marked: {marked}"))
    assert different == []


def test_without_a_slip_neither_finds_anything(registry: Registry, marks: Any, written: Any) -> None:
    for file in ALONE[:3]:
        document = written(file.read_text(encoding="utf-8"))
        assert reported(document, registry, SLIPS | MEANINGLESS) == set()
        assert marks(document) == []
