"""Dotted paths into a configuration: `a.b`, `callbacks[0].monitor`, `groups["encoder.*"].lr`."""

from __future__ import annotations

import re

from offline_trainer_core.errors import UsageError

__all__ = ["join_path", "parent_path", "scan_path", "split_path"]

_BARE = r"""[^.\[\]="+~\s][^.\[\]="\s]*"""
_BRACKETED = r"""\["((?:[^"\\]|\\.)*)"\]|\[(-?[0-9]{1,9})\]"""
_FIRST = re.compile(rf"({_BARE})|{_BRACKETED}", re.DOTALL)
_NEXT = re.compile(rf"\.({_BARE})|{_BRACKETED}", re.DOTALL)
_IS_BARE = re.compile(_BARE)


def join_path(path: str, key: str | int) -> str:
    """Return the dotted path of `key` under `path`: `a.b`, `a[0]`, and `a["x.y"]` for a key that needs quotes."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if key.isidentifier() or _IS_BARE.fullmatch(key):
        return f"{path}.{key}" if path else key
    import json

    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def split_path(path: str) -> tuple[str | int, ...]:
    """Return the keys and indices of `path`; the empty path has none.

    Raises `UsageError` where `path` is not a path.
    """
    keys, end = scan_path(path)
    if end != len(path):
        raise UsageError(f"'{path}' is not a path: it goes wrong at {path[end:]!r}; paths look like a.b[0].c")
    return keys


def parent_path(path: str) -> str:
    """Return the path of what holds `path`: `a` for `a.b`, `a` for `a[0]`, and the empty path for `a`."""
    parent = ""
    for key in split_path(path)[:-1]:
        parent = join_path(parent, key)
    return parent


def scan_path(text: str) -> tuple[tuple[str | int, ...], int]:
    """Return the path that `text` begins with, as keys and indices, and where it ends."""
    keys: list[str | int] = []
    end = 0
    while match := (_NEXT if keys else _FIRST).match(text, end):
        bare, quoted, index = match.groups()
        if quoted is not None:
            try:
                import json

                keys.append(json.loads(f'"{quoted}"'))
            except ValueError:
                break
        else:
            keys.append(bare if index is None else int(index))
        end = match.end()
    return tuple(keys), end
