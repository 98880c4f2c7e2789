"""What a plain scalar means: the core schema of YAML 1.2, in which `on` is a word and `1e-3` is a number.

Source: https://yaml.org/spec/1.2.2/#1032-tag-resolution
"""

from __future__ import annotations

import re

from offline_trainer_core.config.limits import MAX_DIGITS
from offline_trainer_core.config.tree import Scalar

__all__ = ["NUMBER", "plain_value"]

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
NUMBER = re.compile(rf"^(?:{_INTEGER.pattern}|{_FLOAT.pattern})$")
"""What an unquoted scalar looks like that is a finite number."""
_RADIX = {"0o": 8, "0x": 16}


def plain_value(text: str) -> Scalar:
    """Return the value of the unquoted scalar `text`: `012` is 12, `0o17` is 15, `1_000` and dates are strings.

    Raises `ValueError` for an integer with more than `MAX_DIGITS` digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    if _INTEGER.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ValueError(f"an integer may have at most {MAX_DIGITS} digits, this one has {len(text)}")
        radix = _RADIX.get(text[:2])
        return int(text[2:], radix) if radix else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
