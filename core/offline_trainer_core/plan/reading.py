"""The signature of an entry, however it can be had without importing anything."""

from __future__ import annotations

import os
from collections.abc import Iterable

from offline_trainer_core.catalogue import Entry
from offline_trainer_core.signature import Signature, read_signature, unpacked

__all__ = ["component_signature", "signature_note"]


def component_signature(entry: Entry, folders: Iterable[str]) -> Signature | None:
    """Return what the component takes, or None where its source cannot tell. `folders`: where local modules are."""
    folders = tuple(folders) if entry.origin == "local" else ()
    found = _live_signature(entry) if entry.live is not None else read_signature(entry.reference, folders)
    return unpacked(found, folders) if found is not None else None


def _live_signature(entry: Entry) -> Signature:
    from offline_trainer_core.signature.live import signature_of

    return signature_of(entry.live)


def signature_note(entry: Entry, signature: Signature) -> str:
    """Return the call and its place as a note: `model.mlp(dims, hidden=256)   ot_builtins/models.py:31`."""
    place = ""
    if signature.file:
        parts = signature.file.replace(os.sep, "/").split("/")
        package = entry.reference.partition(":")[0].partition(".")[0]
        start = len(parts) - 1 - parts[::-1].index(package) if package in parts else len(parts) - 1
        place = f"   {'/'.join(parts[start:])}:{signature.line}"
    return f"{signature.text(entry.key)}{place}"
