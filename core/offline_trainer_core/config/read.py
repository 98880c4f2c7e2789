"""Reads a configuration file as text, or says why it cannot."""

from __future__ import annotations

import os
import re
import stat
from codecs import BOM_UTF8

from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.limits import MAX_FILE_BYTES
from offline_trainer_core.config.tree import ScalarNode
from offline_trainer_core.errors import Location
from offline_trainer_core.spelling import listing, nearest

__all__ = ["is_clean", "read_text", "real_path", "refusal"]

_SUFFIXES = (".yaml", ".yml")
_FORBIDDEN_ASCII = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_FORBIDDEN = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
"""What YAML does not allow. To compile this takes longer than to read a configuration: only who needs it pays."""


def read_text(file: str, reference: ScalarNode, findings: Findings) -> str | None:
    """Return the text of `file`, without a byte order mark; None after reporting at `reference` why there is none."""
    if reference.location is not None and (reason := refusal(file)):
        findings.at(reference, "unreadable-file", f"the file '{file}' is not read: {reason}")
        return None
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        _report_missing(file, reference, findings)
        return None
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        findings.at(reference, "unreadable-file", f"the file '{file}' cannot be read: {cause}")
        return None
    if len(data) > MAX_FILE_BYTES:
        message = f"the file '{file}' is larger than {MAX_FILE_BYTES // 1024**2} MiB, the most that is read"
        findings.at(reference, "too-large", message)
        return None
    return _decode(data, file, findings)


def refusal(file: str) -> str | None:
    """Return why `file` is not read where a configuration names it, or None; whoever types a name may read anything.

    A configuration from elsewhere must not have the reader show passwords in a message, or wait for a device.
    """
    real = real_path(file)
    try:
        mode = os.stat(real).st_mode
    except (OSError, ValueError):
        return None  # opening it tells
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        return "it is a device or a pipe"
    if stat.S_ISREG(mode) and not real.lower().endswith(_SUFFIXES):
        called = "leads to one that is not" if file.lower().endswith(_SUFFIXES) else "is not"
        return f"a configuration may name files called *.yaml or *.yml, and this {called}"
    return None


def real_path(file: str) -> str:
    """Return the path of `file` without links; `file` itself where it is no name that a file can have."""
    try:
        return os.path.realpath(file)
    except ValueError:
        return file


def is_clean(text: str, file: str, findings: Findings) -> bool:
    """Return whether YAML allows every character of `text`; report the first that it does not."""
    forbidden = _FORBIDDEN_ASCII if text.isascii() else _FORBIDDEN
    found = re.search(forbidden, text)
    if found is None:
        return True
    before = text[: found.start()].splitlines() or [""]
    if text[: found.start()].endswith("\n"):
        before.append("")
    place = Location(file, len(before), len(before[-1]) + 1)
    fix = 'write it as an escape in double quotes, such as "\\x00"'
    findings.sources[file] = re.sub(forbidden, "\ufffd", text)  # a terminal would obey what it is shown
    findings.add("bad-character", f"the character {found.group()!r} is not allowed in YAML", location=place, fix=fix)
    return False


def _decode(data: bytes, file: str, findings: Findings) -> str | None:
    data = data.removeprefix(BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        line = before.count("\n") + 1
        place = Location(file, line, len(before) - before.rfind("\n"))
        findings.sources[file] = data.decode("utf-8", errors="replace")
        message, fix = f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8"
        findings.add("bad-encoding", message, location=place, fix=fix)
        return None
    findings.sources[file] = text
    return text if is_clean(text, file, findings) else None


def _report_missing(file: str, reference: ScalarNode, findings: Findings) -> None:
    folder = os.path.dirname(file) or "."
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(_SUFFIXES))
    except OSError:
        findings.at(reference, "missing-file", f"there is no folder '{folder}'")
        return
    allowed = listing(names)
    findings.at(
        reference,
        "missing-file",
        f"there is no file '{file}'",
        suggestion=nearest(os.path.basename(file), names),
        allowed=f"the files of '{folder}': {allowed}" if allowed else None,
    )
