"""Tensors in safetensors files, written and read in one pass that digests them too.

The format (https://github.com/huggingface/safetensors): eight bytes with the length of a JSON header, the header, which
gives each tensor its type, shape and place, and the tensors' bytes without gaps. The library maps a file lazily into
memory: what is used later may not be what was compared. Here a tensor owns the very bytes that were digested.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline_trainer_core.record.files import FileEntry, FileReader, write_file

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["STORABLE", "read_tensors", "write_tensors"]

_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "C64": "complex64",
    "BOOL": "bool",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
}
_CODES = {name: code for code, name in _TYPES.items()}
STORABLE = frozenset(_CODES) - {"complex64", "uint16", "uint32", "uint64"}
"""Types that every version of safetensors can hold."""

_LONGEST_HEADER = 100_000_000
"""Bytes; the library's own limit."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> FileEntry:
    """Write contiguous tensors in host memory to `path` and wait until they lie on the disk. Raises `OSError`."""
    # The widest types first: then every tensor lies at a multiple of its width.
    ordered = sorted(tensors.items(), key=lambda named: (-named[1].element_size(), named[0]))
    return write_file(path, _pieces(dict(ordered)))


def _pieces(tensors: Mapping[str, Tensor]) -> Iterator[bytes | memoryview]:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for name, tensor in tensors.items():
        end = begin + tensor.nbytes
        code = _CODES[str(tensor.dtype).removeprefix("torch.")]
        header[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little")
    yield text
    yield from map(_memory, tensors.values())


def read_tensors(reader: FileReader) -> dict[str, Tensor]:
    """Return the tensors of the file that `reader` is at the beginning of, on the CPU.

    Nothing is allocated that the file does not hold. Raises `CheckpointError`, and `KeyError`, `TypeError` or
    `ValueError` where the file is not a safetensors file.
    """
    import torch

    length = int.from_bytes(reader.read(min(8, reader.size)), "little")
    if not 2 <= length <= min(reader.size - 8, _LONGEST_HEADER):
        raise ValueError("the length of its header is impossible")
    header = json.loads(reader.read(length))
    header.pop("__metadata__", None)
    ordered = sorted(header.items(), key=lambda named: named[1]["data_offsets"])
    _refuse_impossible([entry for _, entry in ordered], reader.size - 8 - length)
    tensors = {}
    for name, entry in ordered:
        tensors[name] = torch.empty(entry["shape"], dtype=getattr(torch, _TYPES[entry["dtype"]]))
        reader.read_into(_memory(tensors[name]))
    return tensors


def _refuse_impossible(entries: list[dict[str, Any]], size: int) -> None:
    """Raise unless the tensors, in the order of their places, fill `size` bytes without a gap."""
    import torch

    position = 0
    for entry in entries:
        begin, end = entry["data_offsets"]
        shape = entry["shape"]
        if not all(type(number) is int and 0 <= number < 2**63 for number in (begin, end, *shape)):
            raise ValueError("a shape or a place is not made of natural numbers")
        width = getattr(torch, _TYPES[entry["dtype"]]).itemsize
        if begin != position or end - begin != math.prod(shape) * width:
            raise ValueError("a tensor has another length than its shape says, or not its own place")
        position = end
    if position != size:
        raise ValueError("its tensors do not fill it")


def _memory(tensor: Tensor) -> memoryview:
    """Return the bytes of a contiguous tensor in host memory, without copying them."""
    import torch

    flat = tensor.detach().reshape(-1) if tensor.numel() else tensor.new_empty(0)
    return flat.view(torch.uint8).numpy().data
