"""Which names stand for secrets, which texts look like one, and text without them."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["MASK", "is_secret_key", "is_secret_path", "is_secret_variable", "secrets_in", "without_secrets"]

MASK = "***"
# Keys are matched narrowly: `pad_token` and `max_tokens` are no secrets. Variables widely: nobody exports a pad token.
_KEY = re.compile(
    r"(?:.*[_-])?(?:api_?key|access_?key|secret_?key|private_?key|secret|password|passwd|passphrase|credentials?)"
    r"|(?:(?:.*[_-])?(?:auth|access|api|bearer|refresh|hf|wandb)[_-])?token",
    re.IGNORECASE,
)
_VARIABLE = re.compile(
    r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIALS?|KEY|APIKEY)(_|$)",
    re.IGNORECASE,
)
_ASSIGNMENT = r"""(?<![\w-])(["']?)([\w-]+)\1\s*[:=]\s*"""
_DEFAULT = r"\$\{env:(?:\w+:)?(\w+),([^}]+)\}"
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""")
_SHOWN = re.compile(r"""["']?\$\{|(?:null|~|true|false)?\s*(?:$|[,}\]#])""", re.IGNORECASE)
"""What may be shown under a secret key: an expression, and what is no secret."""

_TELLING = ("://", "-----BEGIN", "gh", "hf_", "sk-", "xox", "KIA", "SIA", "glpat-", "wandb_v", "eyJ")
"""Every text that looks like a secret has one of these: most texts need no closer look."""
_SHORTEST = 12
_SHAPE = re.compile(
    r"""(?<=://)[^\s/?\#${}]+:[^\s/?\#${}]+(?=@)               # user:password@host
    |\b(?:gh[pousr]_\w{30,}|github_pat_\w{20,}|glpat-[\w-]{20,}  # GitHub, GitLab
    |hf_[A-Za-z0-9]{30,}|wandb_v\d_\w{20,}                      # Hugging Face, Weights & Biases
    |sk-(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{20,}                  # OpenAI, Anthropic
    |xox[a-z]-[\w-]{10,}|A[KS]IA[0-9A-Z]{16}                    # Slack, AWS
    |eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,})                     # a JSON web token
    |-----BEGIN[A-Z ]*\ PRIVATE\ KEY-----.*?(?:-----END[A-Z ]*\ PRIVATE\ KEY-----|\Z)""",
    re.VERBOSE | re.DOTALL,
)
"""Texts that say by themselves that they are secret. Hexadecimal digits do not: digests and commits look like that."""
_QUERY = re.compile(r"[?&]([\w-]+)=([^\s&#${}]+)")


def secrets_in(text: str) -> Iterator[str]:
    """Yield the parts of `text` that look like a secret: the password of an address, a token of a known kind, a key."""
    if len(text) < _SHORTEST or not any(mark in text for mark in _TELLING):
        return
    yield from _SHAPE.findall(text)
    yield from (found[2] for found in _QUERY.finditer(text) if is_secret_key(found[1]))


def is_secret_key(key: str | int) -> bool:
    """Return whether a value under `key` should not be shown."""
    return isinstance(key, str) and _KEY.fullmatch(key) is not None


def is_secret_path(keys: tuple[str | int, ...]) -> bool:
    """Return whether a value at the end of `keys` should not be shown."""
    return any(map(is_secret_key, keys))


def is_secret_variable(name: str) -> bool:
    """Return whether the value of the environment variable `name` should not be shown."""
    return name != "PWD" and _VARIABLE.search(name) is not None


def without_secrets(text: str) -> str:
    """Return a line of YAML, or an override, with asterisks for the values that it assigns to secret keys, and for what
    looks like a secret.

    Nothing else moves: columns are as before.
    """
    for found in reversed(list(re.finditer(_ASSIGNMENT, text))):
        if is_secret_key(found[2]) and not _SHOWN.match(text, found.end()):
            end = _end_of_value(text, found.end())
            text = _starred(text, found.end(), end)
    for found in re.finditer(_DEFAULT, text):
        if is_secret_variable(found[1]):
            text = _starred(text, *found.span(2))
    for secret in list(secrets_in(text)):
        text = text.replace(secret, "*" * len(secret))
    return text


def _end_of_value(text: str, start: int) -> int:
    if quoted := _QUOTED.match(text, start):
        return quoted.end()
    if text[start] in "[{":
        return len(text)
    is_flow = any(bracket in text[:start] for bracket in "[{")
    ends = [text.find(mark, start) for mark in (",", "}", "]")] if is_flow else [text.find(" #", start)]
    return min((end for end in ends if end >= 0), default=len(text))


def _starred(text: str, start: int, end: int) -> str:
    return text[:start] + "*" * (end - start) + text[end:]
