"""The gallery of errors shows what is printed, has a case of every code, and knows what mends each mistake."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from offline_trainer_core.spelling import nearest

if find_spec("torch") is None:
    pytest.skip("the examples name components of torch", allow_module_level=True)

SCRIPT = Path(__file__).parents[2] / "docs/make_errors.py"
PROBLEM = re.compile(r"^(?:error|warning)\[([^]]+)\]", re.MULTILINE)
Trial = tuple[dict[str, str], list[str]]
"""Files, and the commands that are typed beside them."""


def load_script() -> ModuleType:
    spec = spec_from_file_location("make_errors", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = load_script()
INTRODUCTION, *SECTIONS = MAKER.sections_of(MAKER.PAGE.read_text(encoding="utf-8"))
CASES = [section for section in SECTIONS if section.level == 4]
every_section = pytest.mark.parametrize("section", SECTIONS, ids=lambda section: f"{section.code}:{section.title}")
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}: {case.title}")


def settled(text: str) -> str:
    """Return `text` without what changes when nobody changes a message: versions, and the lines of our own sources."""
    return re.sub(r"\b\d+\.\d+\.\d+\w*", "X.Y.Z", re.sub(r"\.py:\d+", ".py:N", text))


@every_section
def test_a_section_shows_what_is_printed(section: Any) -> None:
    expected = MAKER.refreshed(section, INTRODUCTION.files)
    assert settled(section.text) == settled(expected), "run: python docs/make_errors.py"


@every_case
def test_a_case_shows_one_problem_of_its_code(case: Any) -> None:
    assert PROBLEM.findall(case.text) == [case.code]


@every_case
def test_what_mends_a_mistake_mends_it(case: Any) -> None:
    files, commands = mended(case)
    assert PROBLEM.findall(MAKER.carried_out(files, commands)[-1]) == []


def mended(case: Any) -> Trial:
    """Return what the case says is right: by its `diff`, else by the word that the message suggests."""
    trial: Trial = {**INTRODUCTION.files, **case.files}, case.commands
    patches = [block for language, block in MAKER.BLOCK.findall(case.text) if language == "diff"]
    if patches:
        old, new = ("".join(f"{line[1:]}\n" for line in patches[0].splitlines() if line[0] == sign) for sign in "-+")
        return patched(trial, old, new)
    files, commands = trial
    [problem] = json.loads(MAKER.carried_out(files, [*commands[:-1], f"{commands[-1]} --format json"])[-1])["problems"]
    assert problem["suggestion"], "the message suggests no word: add a diff block"
    return corrected(trial, problem)


def patched(trial: Trial, old: str, new: str) -> Trial:
    files, commands = trial
    assert sum(text.count(old) for text in [*files.values(), *(f"$ {command}\n" for command in commands)]) == 1
    changed = {name: text.replace(old, new) for name, text in files.items()}
    return changed, [f"$ {command}\n".replace(old, new).removeprefix("$ ").strip() for command in commands]


def corrected(trial: Trial, problem: Mapping[str, Any]) -> Trial:
    """Return the trial with what is suggested in the place of what has carets under it."""
    files, commands = trial
    place, line = problem["location"], problem["source_line"]
    start, end = place["column"] - 1, place["column"] - 1 + problem["width"]
    right = line[:start] + replacement(line[start:end], problem["suggestion"]) + line[end:]
    if place["file"].startswith("<override"):
        words = [right if word == line else word for word in shlex.split(commands[-1])]
        return files, [*commands[:-1], shlex.join(words)]
    lines = files[place["file"]].splitlines()
    lines[place["line"] - 1] = right
    return {**files, place["file"]: "\n".join(lines) + "\n"}, commands


def replacement(marked: str, suggestion: str) -> str:
    """Return `suggestion`; in an expression, it stands for the one word that it resembles."""
    wrong = nearest(suggestion, re.split(r"[${}:,]+", marked)) if marked.startswith("${") else None
    return marked.replace(wrong, suggestion) if wrong else suggestion


def test_every_code_has_a_case_and_a_meaning() -> None:
    assert {case.code for case in CASES} == MAKER.CODES.keys()
    assert sorted(section.code for section in SECTIONS if section.level == 3) == sorted(MAKER.CODES)


def test_there_are_enough_cases_with_titles_of_their_own() -> None:
    assert len({case.title for case in CASES}) == len(CASES) >= 60


def test_problems_of_every_layer_are_reported_at_once() -> None:
    [show] = [section for section in SECTIONS if section.title.startswith("Eight mistakes")]
    assert len(PROBLEM.findall(show.text)) == 8


def test_a_wrong_page_is_mended() -> None:
    files = "```yaml\n# file: a.yaml\nrun: 1\n```\n\n"
    page = "{files}## Text\n\n### cycle\n\n{meaning}\n\n#### One\n\n```console\n$ tail -1 a.yaml\n{printed}\n```\n"
    right = page.format(files=files, meaning=MAKER.CODES["cycle"], printed="run: 1")
    assert MAKER.refreshed_page(page.format(files=files, meaning="No.", printed="run: 2")) == right


def test_the_base_experiment_is_right() -> None:
    [printed] = MAKER.carried_out(INTRODUCTION.files, ["ot check base.yaml"])
    assert PROBLEM.findall(printed) == []
    assert "passed" in printed
