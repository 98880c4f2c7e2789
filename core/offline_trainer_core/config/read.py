"""Reads a configuration file as text, or says why it cannot."""

from __future__ import annotations

import re
from pathlib import Path

from offline_trainer_core.config.findings import Findings
from offline_trainer_core.config.limits import MAX_FILE_BYTES
from offline_trainer_core.config.tree import ScalarNode
from offline_trainer_core.errors import Location
from offline_trainer_core.spelling import listing, nearest

__all__ = ["is_clean", "read_text"]

_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_text(file: str, reference: ScalarNode, findings: Findings) -> str | None:
    """Return the text of `file`, without a byte order mark; None after reporting at `reference` why there is none."""
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        _report_missing(file, reference, findings)
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        findings.at(reference, "unreadable-file", f"the file '{file}' cannot be read: {reason}")
        return None
    if len(data) > MAX_FILE_BYTES:
        message = f"the file '{file}' is larger than {MAX_FILE_BYTES // 1024**2} MiB, the most that is read"
        findings.at(reference, "too-large", message)
        return None
    return _decode(data, file, findings)


def is_clean(text: str, file: str, findings: Findings) -> bool:
    """Return whether YAML allows every character of `text`; report the first that it does not."""
    found = _NOT_PRINTABLE.search(text)
    if found is None:
        return True
    before = text[: found.start()].splitlines() or [""]
    if text[: found.start()].endswith("\n"):
        before.append("")
    place = Location(file, len(before), len(before[-1]) + 1)
    fix = 'write it as an escape in double quotes, such as "\\x00"'
    findings.sources[file] = _NOT_PRINTABLE.sub("\ufffd", text)  # a terminal would obey what it is shown
    findings.add("bad-character", f"the character {found.group()!r} is not allowed in YAML", location=place, fix=fix)
    return False


def _decode(data: bytes, file: str, findings: Findings) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", errors="replace")
        line = before.count("\n") + 1
        place = Location(file, line, len(before) - before.rfind("\n"))
        findings.sources[file] = data.decode("utf-8-sig", errors="replace")
        message, fix = f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8"
        findings.add("bad-encoding", message, location=place, fix=fix)
        return None
    findings.sources[file] = text
    return text if is_clean(text, file, findings) else None


def _report_missing(file: str, reference: ScalarNode, findings: Findings) -> None:
    folder = Path(file).parent
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.suffix in (".yaml", ".yml"))
    except OSError:
        findings.at(reference, "missing-file", f"there is no folder '{folder}'")
        return
    allowed = listing(names)
    findings.at(
        reference,
        "missing-file",
        f"there is no file '{file}'",
        suggestion=nearest(Path(file).name, names),
        allowed=f"the files of '{folder}': {allowed}" if allowed else None,
    )
