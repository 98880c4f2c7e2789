"""Finds a text in whatever is written or printed: as it is, encoded, or compressed."""

from __future__ import annotations

import base64
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

HEADERS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b")
"""What zlib and gzip streams begin with."""


def forms(text: str) -> set[bytes]:
    """Return what `text` looks like where somebody encodes it."""
    plain = text.encode()
    spelled = [json.dumps(text)[1:-1].encode(), quote(text, safe="").encode(), plain.hex().encode(), plain[::-1]]
    wide = [text.encode("utf-16-le"), text.encode("utf-16-be"), text.encode("utf-32-le")]
    return {plain, *spelled, *wide, *_base64(plain)}


def _base64(plain: bytes) -> Iterator[bytes]:
    """Yield what is the same in every base64 text around `plain`, for each place in it modulo three."""
    for before in range(3):
        whole = base64.b64encode(b"x" * before + plain)
        yield whole[4 if before else 0 : -4]


def holds(data: bytes, text: str) -> bool:
    """Whether `text` is in `data`, in any form."""
    return any(form in layer for layer in layers(data) for form in forms(text))


def layers(data: bytes, depth: int = 2) -> Iterator[bytes]:
    """Yield `data`, and what is compressed in it."""
    yield data
    if depth == 0:
        return
    for unpacked in _unpacked(data):
        yield from layers(unpacked, depth - 1)


def _unpacked(data: bytes) -> Iterator[bytes]:
    if data[:2] == b"PK":
        with zipfile.ZipFile(BytesIO(data)) as archive:
            yield from map(archive.read, archive.namelist())
    for header in HEADERS:
        at = data.find(header)
        while at >= 0:
            stream = zlib.decompressobj(wbits=47)  # zlib or gzip
            with suppress(zlib.error):
                yield stream.decompress(data[at:], 1 << 24)
            at = data.find(header, at + 1)


def files_with(folder: Path, text: str) -> list[str]:
    """Return the files below `folder` that hold `text`, in their content or in their name."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if text in name or (path.is_file() and not path.is_symlink() and holds(path.read_bytes(), text)):
            found.append(name)
    return found
