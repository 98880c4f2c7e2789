"""A typo in any key and any name of any example is an error before anything is built, and the error points at it.

Every mapping key, every name of a component, every `$value` of a graph and every step of a `${path}`, in every file of
an example, is misspelled by one letter, one after the other, and the whole configuration is checked in this process.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import try_resolve
from offline_trainer_core.config.findings import Found
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan import check_config_tree, report
from offline_trainer_core.plan.arguments import ArgumentCheck

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = {"_type_", "_target_", "_template_", "call", "type", "fn", "activation", "norm", "output_activation"}
"""Keys whose values name something that must exist."""
LISTS_OF_NAMES = {"imports", "plugins", "inputs", "order", "chunked"}

FREE = {
    "eval.*.baselines.*": "policies to compare with are called what their author likes",
    "eval.baselines.*": "policies to compare with are called what their author likes",
    "eval.env_kwargs.*": "a simulator's own arguments, which no metadata describes",
    "eval.record.*": "what a simulator reports beside rewards, which no metadata describes",
    "loss.fn.*": "thrown away by `_merge_: replace` in the file that includes this one",
    "io.targets.*": "a single target is taken without its name; one that is named elsewhere is not free",
    "model.components.decoder.graph.modules.fusion.sources.*": "block.token_fusion joins sources of any names",
    "model.components.decoder.graph.steps[0].kwargs.*": "what the forward of block.token_fusion takes is its sources",
    "model.components.teacher": "the algorithm is local code, and only its body says which models it asks for",
    "model.components.*.sequential.inputs[0]": "local code calls these models by position",
}
"""What an author may call as he likes: no check can know of a typo there, if nothing refers to the name."""


class Token(NamedTuple):
    """A word of a file that could be misspelled."""

    file: str
    path: str
    word: str
    start: int


def tokens_of(file: str, text: str) -> list[Token]:
    """Return the keys of a file, and the words of its values that name something, as a YAML parser sees them."""
    return [Token(file, *found) for found in _below(yaml.compose(text), "", text)]


def _below(node: Any, path: str, text: str) -> Iterator[tuple[str, str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = f"{path}.{key.value}" if path else key.value
            yield place, key.value, text.index(key.value, key.start_mark.index)
            yield from _below(value, place, text)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _below(item, f"{path}[{index}]", text)
    else:
        for word, offset in _names_in(node.value, path.rpartition(".")[2]):
            yield path, word, text.index(node.value, node.start_mark.index) + offset


def _names_in(value: str, key: str) -> Iterator[tuple[str, int]]:
    """Yield the names in the value of `key`, and where they begin."""
    expressions = list(re.finditer(r"\$\{([^}]*)\}", value))
    named = key in NAMES or (key.endswith("]") and key.partition("[")[0] in LISTS_OF_NAMES)
    if named and not expressions:
        yield value, 0
    elif re.fullmatch(r"\$\w+", value):
        yield value[1:], 1
    for expression in expressions:
        # The name of an environment variable that has a default is nobody's to check.
        words = r"\b(env|int|float|json)\b" if expression[1].startswith("env:") else r"[A-Za-z_]\w*"
        yield from ((word[0], expression.start(1) + word.start()) for word in re.finditer(words, expression[1]))


def misspelled(word: str, taken: set[str]) -> str:
    """Return `word` with a letter dropped, doubled or swapped with its neighbour: the first that is no other name."""
    letters = [index for index in range(len(word)) if word[index].isalpha()]
    for at in sorted(letters, key=lambda index: abs(index - len(word) // 2)):
        head, letter, tail = word[:at], word[at], word[at + 1 :]
        for typo in (head + tail, head + letter + letter + tail, head + tail[:1] + letter + tail[1:]):
            if typo and typo != word and typo not in taken:
                return typo
    raise AssertionError(f"no typo of {word}")


def files_of(example: str, folder: Path, registry: Registry) -> dict[str, str]:
    """Return the text of the example and of each file that it includes, models included, by path below `folder`."""
    config = try_resolve(folder / example, env={}).config
    assert config is not None
    models = check_config_tree(config, registry).plan.model_files.values()
    files = {Path(file).resolve() for tree in (config, *models) for file in tree.files}
    return {file.relative_to(folder.resolve()).as_posix(): file.read_text("utf-8") for file in sorted(files)}


def errors_in(file: Path, registry: Registry) -> Sequence[Problem]:
    """Return the errors that `ot check` finds in `file`, with no variable of the environment set."""
    config, problems = try_resolve(file, env={})
    return problems if config is None else check_config_tree(config, registry, problems).errors


def points_at(problem: Problem, token: Token, typo: str, text: str, file: Path) -> bool:
    """Whether a problem stands at the misspelled word, or says it."""
    row, column = text.count("\n", 0, token.start) + 1, token.start - text.rfind("\n", 0, token.start)
    where = problem.location or ("", 0, 0)
    if where[:2] == (str(file), row) and where[2] <= column < where[2] + (problem.width or 1):
        return True
    said = (problem.message, problem.suggestion, problem.allowed, *problem.notes)
    return any(re.search(rf"(?<!\w){re.escape(typo)}(?!\w)", text) for text in said if text)


class Result(NamedTuple):
    """How many words there were, and those whose typo no error points at."""

    words: int
    survivors: list[str]


def misspell_all(example: str, registry: Registry, folder: Path) -> Result:
    """Misspell one word after the other in a copy of the example under `folder`."""
    theme = Path(example).parts[0]
    shutil.copytree(EXAMPLES / theme, folder / theme, ignore=shutil.ignore_patterns("data", "runs", "__pycache__"))
    texts = files_of(example, folder, registry)
    tokens = [token for file, text in texts.items() for token in tokens_of(file, text)]
    taken = {token.word for token in tokens}
    survivors = []
    for token in tokens:
        file, text, typo = folder / token.file, texts[token.file], misspelled(token.word, taken)
        changed = text[: token.start] + typo + text[token.start + len(token.word) :]
        file.write_text(changed, encoding="utf-8")
        problems = errors_in(folder / example, registry)
        file.write_text(text, encoding="utf-8")
        if not any(points_at(problem, token, typo, changed, file) for problem in problems) and not is_free(token):
            said = "; ".join(problem.message for problem in problems) or "no error"
            survivors.append(f"{token.file}: {token.path}: {token.word} as {typo}: {said}")
    return Result(len(tokens), survivors)


def is_free(token: Token) -> bool:
    return any(fnmatchcase(token.path, pattern.replace("[", "[[]")) for pattern in FREE)


def test_every_typo_is_caught(example: str, registry: Registry, tmp_path: Path) -> None:
    words, survivors = misspell_all(example, registry, tmp_path)
    assert words > 20
    assert not survivors, f"{len(survivors)} of {words} typos:\n" + "\n".join(survivors)


def test_there_are_many_words() -> None:
    texts = {str(file): file.read_text("utf-8") for file in EXAMPLES.rglob("*.yaml")}
    assert sum(len(tokens_of(file, text)) for file, text in texts.items()) > 1000


def test_without_signatures_typos_would_slip_through(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "check_arguments", lambda names: ArgumentCheck(Found(), 0, ()))
    _, survivors = misspell_all("quickstart/first.yaml", registry, tmp_path)
    assert any("data.batch_size" in survivor for survivor in survivors)


def test_without_readers_typos_would_slip_through(registry: Registry, tmp_path: Path) -> None:
    _, survivors = misspell_all("pendulum/bc.yaml", Registry(registry.entries()), tmp_path)
    assert any("normalize.observation" in survivor for survivor in survivors)
