"""Every page is carried out: its files are written, its commands typed, and what they print is compared.

In a page, a `yaml`, `python` or `toml` block whose first line is `# file: <name>` is written into the page's folder. A
`console` block holds commands (`$ ...`) and what each prints. `...` stands for anything, within a line or for lines; a
number of four significant digits is taken as measured, and stands for any number; a version stands for any version.
Blocks are carried out from top to bottom. A command that fails must show an error, or be followed by `$ echo $?`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("torch")  # the pages train
pytest.importorskip("gymnasium")

ROOT = Path(__file__).parents[2]
NAMES = ("guide", "configuration", "experiment", "models", "running", "runs", "deploying", "editor", "migrating")
PAGES = ["README.md", *(f"docs/{name}.md" for name in NAMES)]
BLOCK = re.compile(r"^```(yaml|python|toml|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# file: (\S+)\n")
QUIET = {"TORCH_CPP_LOG_LEVEL": "ERROR"}
"""On a busy machine torch's processes warn that they had to wait for each other; that is not what a page is about."""


class Block(NamedTuple):
    language: str
    text: str
    line: int


class Command(NamedTuple):
    typed: str
    expected: str


def blocks_of(page: str) -> list[Block]:
    return [Block(found[1], found[2], page.count("\n", 0, found.start()) + 2) for found in BLOCK.finditer(page)]


def commands_of(console: str) -> list[Command]:
    parts = re.split(r"^\$ ((?:.*\\\n)*.*)\n?", console, flags=re.MULTILINE)
    assert parts[0] == "", "a console block begins with a command"
    return [Command(*pair) for pair in zip(parts[1::2], parts[2::2], strict=True)]


def matches(expected: str, printed: str) -> bool:
    """Whether `printed` is what `expected` shows, blanks at the ends of lines and of the whole aside."""
    parts = re.split(r"(\.\.\.|\d+\.\d+\.\d+|-?\d+\.\d+)", tidy(expected))
    return re.fullmatch("".join(map(pattern_of, parts)), tidy(printed), re.DOTALL) is not None


def pattern_of(part: str) -> str:
    if part == "...":
        return ".*"
    if re.fullmatch(r"\d+\.\d+\.\d+", part):
        return r"\d+\.\d+\.\d+\w*"
    if re.fullmatch(r"-?\d+\.\d+", part) and len(part.replace(".", "").lstrip("-0")) >= 4:
        return r"-?\d[\d.]*(?:e-?\d+)?"
    return re.escape(part)


def tidy(text: str) -> str:
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip("\n")


def carry_out(page: str, folder: Path) -> None:
    """Write the files of `page` into `folder` and run its commands there; fail where the page is wrong."""
    for block in blocks_of(page):
        if block.language == "console":
            run_console(block, folder)
        elif name := FILE.match(block.text):
            path = folder / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def run_console(block: Block, folder: Path) -> None:
    code = 0
    commands = commands_of(block.text)
    for command, following in zip(commands, [*commands[1:], None], strict=True):
        shell = ["bash", "-c", f"(exit {code}); {command.typed}"]  # so that `echo $?` tells how the last one ended
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        done = subprocess.run(shell, cwd=folder, env=environment(), check=False, **pipes)
        code, where = done.returncode, f"line {block.line}: $ {command.typed}"
        if not matches(command.expected, done.stdout):
            pytest.fail(f"{where}\nexpected:\n{command.expected}\nprinted:\n{done.stdout}", pytrace=False)
        asked = following is not None and following.typed == "echo $?"
        if code != 0 and not asked and "error" not in command.expected:
            pytest.fail(f"{where} ended with {code}:\n{done.stdout}", pytrace=False)


def environment() -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OT_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
    return {**inherited, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "100", "PYTHONWARNINGS": "default", **QUIET}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_page_does_what_it_says(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert any(block.language == "console" for block in blocks_of(text))
    carry_out(text, tmp_path)


@pytest.mark.parametrize("page", [*PAGES, "docs/README.md", "docs/reference.md"])
def test_the_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith("http")]
    assert links
    broken = []
    for link in links:
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


def anchors(page: str) -> set[str]:
    """The names under which the headings of a page can be linked to, as GitHub forms them."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    pages = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"]
    assert not [name for name in pages if f"]({name})" not in index]


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("```console\n$ echo right\nwrong\n```\n", "line 2: $ echo right"),
        ("```console\n$ echo one; echo two\none\n```\n", "printed:\none\ntwo"),
        ("```console\n$ false\n```\n", "ended with 1"),
        ("```yaml\n# file: a.yaml\nx: 1\n```\n\n```console\n$ cat a.yaml\nx: 2\n```\n", "line 7: $ cat a.yaml"),
    ],
)
def test_a_page_that_is_wrong_fails(page: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception) as failure:
        carry_out(page, tmp_path)
    assert fault in str(failure.value)


def test_a_page_that_is_right_passes(tmp_path: Path) -> None:
    file = "```yaml\n# file: in/a.yaml\nx: 1\n```\n"
    carry_out(f"{file}```console\n$ tail -1 in/a.yaml\nx: ...\n$ (exit 3)\n$ echo $?\n3\n```\n", tmp_path)
    assert (tmp_path / "in/a.yaml").read_text(encoding="utf-8") == "# file: in/a.yaml\nx: 1\n"


def test_dots_stand_for_anything_and_everything_else_for_itself() -> None:
    assert matches("a ... c\n...\nz", "a b c\nd\ne\nz\n")
    assert not matches("a ... c", "a b d")
    assert not matches("lr 1.5", "lr 105")
    assert not matches("lr 0.003", "lr 0.001")
    assert matches("loss 0.02791, return -569.7", "loss 0.03, return 12")
    assert not matches("loss 0.02791", "loss none")
