"""Takes passwords and tokens out of every text that leaves a run: sources, overrides, records, messages of errors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

import yaml

from offline_trainer_core.config.resolved import Config
from offline_trainer_core.config.secret_names import (
    MASK,
    is_secret_key,
    is_secret_variable,
    secrets_in,
    without_secrets,
)
from offline_trainer_core.config.secrets import hidden_values
from offline_trainer_core.config.syntax import ExcessError, compose_text

__all__ = ["concealing", "redacted"]

_Texts = TypeVar("_Texts", bound=Any)

_LONG = 8
"""Characters from which on a secret is sought within words, and a secret that no file names is believed to be one."""
_READ = re.compile(r"\$\{env:(?:\w+:)?(\w+)")
_NO_SECRETS = ("", "null", "~", "true", "false")


def redacted(what: _Texts, config: Config) -> _Texts:
    """Return a text, or plain data with texts in it, with `***` for every secret that is known or shows itself: for
    sources, overrides, messages, and what is recorded of the environment.

    Known is what `masked` hides and what that overrode, what the files and overrides assign to secret keys, however it
    is spelled there, and the values of secret environment variables.
    """
    return cast(_Texts, _without(what, _pattern(_known(config))))


def _without(what: Any, known: re.Pattern[str]) -> Any:
    if isinstance(what, str):
        lines = known.sub(MASK, what).splitlines(keepends=True)
        for secret in set(secrets_in(what)):
            lines = "".join(lines).replace(secret, MASK).splitlines(keepends=True)
        return "".join(map(without_secrets, lines))
    if isinstance(what, Mapping):
        return {key: _without(below, known) for key, below in what.items()}
    return [_without(item, known) for item in what] if isinstance(what, (list, tuple)) else what


@contextmanager
def concealing(config: Config) -> Iterator[None]:
    """Take every secret that `redacted` knows from an exception of the block, and from what led to it, before anybody
    reads it.
    """
    try:
        yield
    except BaseException as error:
        known = _pattern(_known(config))
        for each in _chain(error):
            _conceal(each, known)
        raise


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen, waiting = set[int](), [error]
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [other for other in (each.__cause__, each.__context__) if other is not None]
            waiting += getattr(each, "exceptions", ())


def _conceal(error: BaseException, known: re.Pattern[str]) -> None:
    error.args = tuple(_concealed(argument, known) for argument in error.args)
    for name, text in [*_attributes(error)]:
        if known.search(text):
            with suppress(AttributeError, TypeError):  # some cannot be set
                setattr(error, name, known.sub(MASK, text))
    if hasattr(error, "__notes__"):
        error.__notes__ = [known.sub(MASK, note) for note in error.__notes__]


def _concealed(argument: Any, known: re.Pattern[str]) -> Any:
    """Return an argument of an exception as it is, or its text where that shows a secret."""
    text = str(argument)
    return known.sub(MASK, text) if known.search(text) else argument


def _attributes(error: BaseException) -> Iterator[tuple[str, str]]:
    names = ("filename", "filename2", "strerror", "msg", *vars(error))
    yield from ((name, text) for name in names if isinstance(text := getattr(error, name, None), str))


def _pattern(known: Iterable[str]) -> re.Pattern[str]:
    """Return what matches every text of `known`, the longest first; short ones only as whole words."""
    texts = sorted({text for text in known if text.strip() and text != MASK}, key=len, reverse=True)
    escaped = [re.escape(t) if len(t) >= _LONG else rf"(?<!\w){re.escape(t)}(?!\w)" for t in texts]
    return re.compile("|".join(escaped) or r"(?!)")


def _known(config: Config) -> Iterator[str]:
    values = [*hidden_values(config.root), *_variables(config)]
    for text in config.files.values():
        values += [*_spelled(text)]
    for value in values:
        yield value
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= _LONG)
        for part in secrets_in(value):
            yield part
            yield from (piece for piece in part.partition(":") if len(piece) >= _LONG)


def _variables(config: Config) -> Iterator[str]:
    """Yield the values of secret variables: of those that the configuration reads, and of others that are long."""
    read = {name for text in config.sources.values() for name in _READ.findall(text)}
    for name, value in os.environ.items():
        if is_secret_variable(name) and (name in read or len(value) >= _LONG):
            yield value


def _spelled(text: str) -> Iterator[str]:
    """Yield what a file assigns to secret keys, as it is read and as the text spells it, deleted or not."""
    with suppress(yaml.YAMLError, ExcessError):
        for node, secret in _scalars(compose_text(text)):
            value = node.value
            if (secret or any(secrets_in(value))) and "${" not in value and value.lower() not in _NO_SECRETS:
                yield from (value, text[node.start_mark.index : node.end_mark.index].rstrip())


def _scalars(root: Any) -> Iterator[tuple[yaml.ScalarNode, bool]]:
    """Yield every scalar below `root`, with whether a key above it is secret; what an alias repeats, once."""
    seen, waiting = set[tuple[int, bool]](), [(root, False)]
    while waiting:
        node, secret = waiting.pop()
        if (id(node), secret) in seen:
            continue
        seen.add((id(node), secret))
        if isinstance(node, yaml.ScalarNode):
            yield node, secret
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(item, secret) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            waiting += [(below, secret or is_secret_key(key.value)) for key, below in node.value]
