"""Says whether two installations of a distribution have the same code, as their own records have it."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Installed", "code_digest", "recorded_files"]


class Installed(Protocol):
    """What is read of an installed distribution, in every version of importlib-metadata."""

    def read_text(self, filename: str, /) -> str | None: ...

    def locate_file(self, path: str, /) -> Any: ...


def code_digest(distribution: str) -> str | None:
    """Return a digest of the files that `distribution` installed, or None if it keeps no record of them.

    It covers the name and hash of each importable file in `RECORD`, and reads no other file: it is what the processes
    of a run compare. A file that was changed after its installation is found by a lock, which reads them all.
    """
    import xxhash
    from importlib_metadata import PackageNotFoundError
    from importlib_metadata import distribution as find

    try:
        files = recorded_files(find(distribution))
    except (PackageNotFoundError, OSError, ValueError):
        return None
    code = sorted(f"{name},{digest}" for name, digest in files.items())
    return f"xxh3:{xxhash.xxh3_128_hexdigest(chr(10).join(code).encode())}" if code else None


def recorded_files(distribution: Installed) -> dict[str, str]:
    """Return name and hash of the importable files that `RECORD` lists.

    Scripts, byte code and what the installer notes for itself are left out: they differ from one environment to the
    next.
    """
    import csv

    rows = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[1] and not _of_the_installer(row[0])}


def _of_the_installer(name: str) -> bool:
    return name.startswith("..") or ".dist-info/" in name or name.endswith((".pyc", ".pth"))
