"""Says whether two installations of a distribution have the same code."""

from __future__ import annotations

__all__ = ["code_digest"]


def code_digest(distribution: str) -> str | None:
    """Return a digest of the files that `distribution` installed, or None if it keeps no record of them.

    It covers the name and hash of each importable file in `RECORD`. Scripts, byte code and what the installer notes for
    itself are left out: they differ from one environment to the next.
    """
    import csv

    import xxhash
    from importlib_metadata import PackageNotFoundError
    from importlib_metadata import distribution as find

    try:
        record = find(distribution).read_text("RECORD")
    except (PackageNotFoundError, OSError, ValueError):
        return None
    if not record:
        return None
    rows = [row for row in csv.reader(record.splitlines()) if len(row) > 1 and row[1]]
    code = sorted(f"{name},{digest}" for name, digest, *_ in rows if not _of_the_installer(name))
    return f"xxh3:{xxhash.xxh3_128_hexdigest(chr(10).join(code).encode())}" if code else None


def _of_the_installer(name: str) -> bool:
    return name.startswith("..") or ".dist-info/" in name or name.endswith((".pyc", ".pth"))
