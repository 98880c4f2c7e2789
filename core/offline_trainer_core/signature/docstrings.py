"""What a docstring says of the whole and of each argument, in Google's style and in torch's."""

from __future__ import annotations

import inspect
import re

__all__ = ["argument_docs", "first_sentence"]

SECTION = re.compile(r"^(?:Args|Arguments|Parameters):+[ \t]*\n((?:[ \t]+.*\n?|\n)*)", re.MULTILINE)
ENTRY = re.compile(r"\*{0,2}(\w+)[ \t]*(?:\(.*?\))?:[ \t]*(.*)", re.DOTALL)
ROLE = re.compile(r":\w+:(?=`)")


def first_sentence(doc: str) -> str:
    """Return the first sentence of a docstring on one line, empty where there is none."""
    paragraph = inspect.cleandoc(doc).partition("\n\n")[0]
    return re.split(r"(?<=\.)\s", _plain(paragraph), maxsplit=1)[0]


def argument_docs(doc: str) -> dict[str, str]:
    """Return what a docstring says of each argument, on one line each, by the argument's name."""
    found: dict[str, str] = {}
    for section in SECTION.findall(f"{inspect.cleandoc(doc)}\n"):
        for entry in re.split(r"^(?=\S)", inspect.cleandoc(f"\n{section}"), flags=re.MULTILINE):
            match = ENTRY.fullmatch(entry)
            if match is not None:
                found[match[1]] = _plain(match[2])
    return found


def _plain(text: str) -> str:
    """Return text on one line, with Sphinx's roles and doubled backticks as Markdown has them."""
    return ROLE.sub("", " ".join(text.split())).replace("``", "`")
