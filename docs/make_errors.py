"""Fills docs/errors.md with what commands print and with what codes mean.

Type `python docs/make_errors.py`; a test says when that is due. To add a case, write its title, its files and its
command into the page, below the heading of its code: the script writes what the command prints.

- `# file: <name>` as the first line of a block names the file that it is. Where that is no YAML or Python file, the
  line is not a part of it. The files of the introduction are there in every case.
- `$ ot check ...` runs in this process where nothing is imported that the case brings; its environment is what stands
  in front of it. Any other command is typed in a shell.
- A `diff` block says what mends the mistake, where the message does not name the right word.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from offline_trainer_core.cli.group import ot
from offline_trainer_core.codes import CODES as CORE_CODES
from ot_policy_constructor.ir.codes import CODES as MODEL_CODES

PAGE = Path(__file__).with_name("errors.md")
CODES = CORE_CODES | MODEL_CODES
FOLDER = "/home/ada/robots"
"""What stands for the folder in which a case is carried out."""

HEADING = re.compile(r"^(#{2,4}) (.*)$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# file: (\S+)\n")
COMMAND = re.compile(r"^\$ (.*)\n", re.MULTILINE)
SUMMARY = re.compile(r"^\d+ (?:error|warning|problem)s?\b.*", re.DOTALL | re.MULTILINE)


class Section(NamedTuple):
    """A heading with what stands below it, up to the next heading.

    A heading of the third level is a code; `code` is the one that the section is about, those below it included.
    """

    level: int
    title: str
    code: str
    text: str

    @property
    def files(self) -> dict[str, str]:
        """The files that are shown, by their names."""
        found = {}
        for language, block in BLOCK.findall(self.text):
            if language not in ("console", "diff") and (named := FILE.match(block)):
                found[named[1]] = block if named[1].endswith((".yaml", ".py")) else block[named.end() :]
        return found

    @property
    def commands(self) -> list[str]:
        """What is typed."""
        consoles = [block for language, block in BLOCK.findall(self.text) if language == "console"]
        return [command for console in consoles for command in COMMAND.findall(console)]


def sections_of(page: str) -> list[Section]:
    """Return the introduction of `page`, which has no title, and its sections."""
    starts = [0, *(found.start() for found in HEADING.finditer(page))]
    sections = [Section(1, "", "", page[: starts[1]] if len(starts) > 1 else page)]
    code = ""
    for start, end in zip(starts[1:], [*starts[2:], len(page)], strict=True):
        marks, title = HEADING.findall(page[start:end])[0]
        code = title if marks == "###" else code if marks == "####" else ""
        sections.append(Section(len(marks), title, code, page[start:end]))
    return sections


def refreshed_page(page: str) -> str:
    """Return `page` with what its commands print now, and with what its codes mean."""
    introduction, *sections = sections_of(page)
    return introduction.text + "".join(refreshed(section, introduction.files) for section in sections)


def refreshed(section: Section, shared: Mapping[str, str]) -> str:
    """Return the text of `section` as it should be; the files `shared` are there besides its own."""
    if section.level == 3:
        return f"### {section.code}\n\n{CODES.get(section.code, 'NOT A CODE')}\n\n"
    if not section.commands:
        return section.text
    printed = iter(carried_out({**shared, **section.files}, section.commands))
    return BLOCK.sub(lambda block: _filled(block, printed, whole=section.level < 4), section.text)


def _filled(block: re.Match[str], printed: Iterator[str], *, whole: bool) -> str:
    if block[1] != "console":
        return block[0]
    shown = []
    for command in COMMAND.findall(block[2]):
        output = next(printed)
        shown += [f"$ {command}", *filter(None, [(output if whole else SUMMARY.sub("", output)).strip()])]
    return "\n".join(["```console", *shown, "```"])


def carried_out(files: Mapping[str, str], commands: Sequence[str]) -> list[str]:
    """Write `files` into a new folder and type `commands` there; return what each of them prints."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
        os.chdir(folder)
        try:
            return [typed(command).replace(str(folder), FOLDER) for command in commands]
        finally:
            os.chdir(before)


def typed(command: str) -> str:
    """Return what `command` prints in the working folder."""
    words = shlex.split(command)
    count = next(number for number, word in enumerate(words) if not re.match(r"\w+=", word))
    given, arguments = dict(word.split("=", 1) for word in words[:count]), words[count:]
    if arguments[:2] == ["ot", "check"] and "PYTHONPATH" not in given and not {"--deep", "|"} & {*arguments}:
        return _checked_here(arguments[1:], given)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(["bash", "-c", command], env={**os.environ, "PATH": path}, check=False, **pipes).stdout


def _checked_here(arguments: Sequence[str], given: Mapping[str, str]) -> str:
    """Return what `ot check` prints in this process, in the environment `given`."""
    done = CliRunner().invoke(ot, arguments, env={**dict.fromkeys(os.environ), **given})
    if done.exit_code not in (0, 2):
        raise RuntimeError(f"'ot {shlex.join(arguments)}' ended with {done.exit_code}:\n{done.output}")
    return done.output


if __name__ == "__main__":
    PAGE.write_text(refreshed_page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
