"""What a docstring says of the whole and of each argument, in Google's, NumPy's or Sphinx's style."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Sequence

from offline_trainer_core.signature.parameters import Signature
from offline_trainer_core.signature.source import Imported, Module, read_module

__all__ = ["argument_docs", "assigned_doc", "documented", "first_sentence"]

SECTION = re.compile(r"(?:(?:keyword|other) )?(?:args|arguments|parameters)", re.IGNORECASE)
RULE = re.compile(r"\s*-{3,}\s*")
NAMES = r"\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*"
GOOGLE = re.compile(rf"(?P<names>{NAMES})\s*(?:\(.*?\))?:(?:\s+(?P<text>.*))?")
NUMPY = re.compile(rf"(?P<names>{NAMES})\s*(?::.*)?")
SPHINX = re.compile(r":(?:param|argument|arg|keyword|key)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)")
NO_ABBREVIATION = "".join(rf"(?<!\b{re.escape(word)})" for word in ("al.", "e.g.", "i.e.", "cf.", "vs."))
END = re.compile(rf"(?<=\.){NO_ABBREVIATION}\s", re.IGNORECASE)
END_OF_PART = re.compile(rf"(?<=[.;!?]){NO_ABBREVIATION}\s+", re.IGNORECASE)
NEXT_STATEMENT = re.compile(r"^[A-Za-z_@#]", re.MULTILINE)
ROLE = re.compile(r":\w+:(?=`)")


def first_sentence(doc: str) -> str:
    """Return the first sentence of a docstring on one line, empty where there is none."""
    paragraph = inspect.cleandoc(doc).partition("\n\n")[0]
    return END.split(_plain(paragraph), maxsplit=1)[0]


def argument_docs(doc: str) -> dict[str, str]:
    """Return what a docstring says of each argument, on one line each, by the argument's name."""
    found: dict[str, str] = {}
    for name, text in _listed(inspect.cleandoc(doc).splitlines()):
        found.setdefault(name, _plain(" ".join(text)))
    return found


def documented(signature: Signature) -> dict[str, str]:
    """Return what is said of each argument: in the component's docstring or, where that says nothing, in its bases'.

    An argument that no list has is described by the sentences that quote it.
    """
    docs = (signature.doc, *signature.inherited_docs)
    found: dict[str, str] = {}
    for listed in map(argument_docs, docs):
        found = {**listed, **found}
    for name in (parameter.name for parameter in signature.parameters if parameter.name not in found):
        quoted = re.compile(rf"`[^`]*\b{re.escape(name)}\b[^`]*`")
        text = " ".join(sentence for sentence in _sentences(signature.doc) if quoted.search(sentence))
        found |= {name: text} if text else {}
    return found


def assigned_doc(name: str, module: Module) -> str:
    """Return the text that `module` assigns to `<name>.__doc__`, as torch does for its optimizers; empty if none.

    Only that statement is parsed: these modules are long, and every check of a configuration reads some.
    """
    found = re.search(rf"^{re.escape(name)}\.__doc__ = ", module.source, re.MULTILINE)
    if found is None:
        return ""
    text = module.source[found.start() :]
    for end in [*(match.start() for match in NEXT_STATEMENT.finditer(text, 1)), len(text)]:
        try:
            (statement,) = ast.parse(text[:end]).body
        except (SyntaxError, ValueError):
            continue  # inside of the string
        assert isinstance(statement, ast.Assign)
        return inspect.cleandoc(_text(statement.value, module))
    return ""


def _plain(text: str) -> str:
    """Return text on one line, with Sphinx's roles and doubled backticks as Markdown has them."""
    return ROLE.sub("", " ".join(text.split())).replace("``", "`")


def _sentences(doc: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(doc).split("\n\n"):
        yield from END_OF_PART.split(_plain(paragraph))


def _listed(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield every argument that the lines list, with the lines of its text."""
    for number, line in enumerate(lines):
        title, rest = line.strip(), lines[number + 1 :]
        if title.endswith(":") and SECTION.fullmatch(title.rstrip(":")):
            yield from _entries(rest, _indent(line) + 1, GOOGLE)
        elif rest and RULE.fullmatch(rest[0]) and SECTION.fullmatch(title):
            yield from _entries(rest[1:], _indent(line), NUMPY)
        elif match := SPHINX.fullmatch(title):
            yield match[1], [match[2], *_deeper(rest, _indent(line))]


def _entries(lines: Sequence[str], least: int, form: re.Pattern[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield the entries of a list that is indented by at least `least`, up to where it ends."""
    indent = next((_indent(line) for line in lines if line.strip()), 0)
    for number, line in enumerate(lines if indent >= least else ()):
        rest = lines[number + 1 :]
        if line.strip() and (_indent(line) < indent or (rest and RULE.fullmatch(rest[0]))):
            return
        match = form.fullmatch(line.strip()) if _indent(line) == indent else None
        if match is not None:
            text = [match.groupdict().get("text") or "", *_deeper(rest, indent)]
            yield from ((name.strip().lstrip("*"), text) for name in match["names"].split(","))


def _deeper(lines: Sequence[str], indent: int) -> Iterator[str]:
    """Yield the lines up to the first that is not indented by more than `indent`."""
    for line in lines:
        if line.strip() and _indent(line) <= indent:
            return
        yield line


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _text(node: object, module: Module) -> str:
    """Return the text of a string expression; what only running the module tells is left out."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp):
        return _text(node.left, module) + _text(node.right, module)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, module) for part in node.values)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name):
        return _named_text(node.value.id, module)
    return ""


def _named_text(name: str, module: Module) -> str:
    binding = module.bindings.get(name)
    if isinstance(binding, Imported) and binding.name is not None:
        source = read_module(binding.module, module.folders)
        binding = source.bindings.get(binding.name) if source is not None else None
    return binding.value if isinstance(binding, ast.Constant) and isinstance(binding.value, str) else ""
