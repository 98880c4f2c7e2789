"""Nests of plain values and tensors as JSON and named tensors: what a checkpoint holds, without pickle.

JSON has no tuple, no integer key, no infinity and no tensor. Such a value becomes an object with one key that begins
with `$`: `{"$tuple": [1, 2]}`, `{"$float": "inf"}`, `{"$tensor": "layers.0.weight"}`. A mapping whose keys are not all
strings, or begin with `$`, becomes `{"$mapping": "dict", "items": [[key, value], ...]}`.
"""

from __future__ import annotations

import base64
import math
import types
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Any

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record.tensors import STORABLE

if TYPE_CHECKING:
    from torch import Tensor

    from offline_trainer_core.record.staging import Staging

__all__ = ["Decoder", "Encoder"]

_SCALARS = (str, int, bool, types.NoneType)
_MAPPINGS: dict[str, type] = {"dict": dict, "OrderedDict": OrderedDict, "Counter": Counter}
_SEQUENCES: dict[str, type] = {"$tuple": tuple, "$set": set, "$frozenset": frozenset}
_TAG_OF = {kind: tag for tag, kind in _SEQUENCES.items()}
_NUMPY = "?bhilqBHILQefdFD"
"""Character codes of the numeric types that numpy and torch share."""

_AS_BYTES = ("complex32", "complex64", "complex128", "uint16", "uint32", "uint64", "float8_e4m3fnuz", "float8_e5m2fnuz")
"""Types that are stored as their bytes, and no other name is looked up in torch: to ask it for one may import much."""


class Encoder:
    """Turns one nest into a JSON structure, and collects its tensors in `tensors` under readable names.

    A flat mapping from names to tensors keeps its names, so the file of a `state_dict` is an ordinary weights file.
    A tensor that is found twice, as tied weights are, has both names in the file and is one tensor again when it is
    decoded. With `staging` nothing in `tensors` shares memory with the nest, so that training may go on while the
    tensors are written.
    """

    def __init__(self, section: str, staging: Staging | None = None) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._section = section
        self._staging = staging
        self._met: dict[Any, tuple[Tensor, dict[str, Any]]] = {}

    def encode(self, value: Any, path: tuple[str, ...] = ()) -> Any:
        """Return the JSON structure of `value`.

        Raises `CheckpointError` with the place of a value that is neither plain nor a tensor nor an array.
        """
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$float": str(value)}
        if kind is list:
            return self._items(value, path)
        if kind in _MAPPINGS.values():
            return self._mapping(value, path)
        if kind in _TAG_OF:
            return {_TAG_OF[kind]: self._items(value, path)}
        if kind is deque:
            return {"$deque": self._items(value, path), "maxlen": value.maxlen}
        if kind is bytes:
            return {"$bytes": base64.b64encode(value).decode("ascii")}
        return self._numbers(value, path)

    def _items(self, values: Any, path: tuple[str, ...]) -> list[Any]:
        return [self.encode(value, (*path, str(index))) for index, value in enumerate(values)]

    def _mapping(self, mapping: Any, path: tuple[str, ...]) -> dict[str, Any]:
        plain = all(type(key) is str and not key.startswith("$") for key in mapping)
        if type(mapping) is dict and plain:
            return {key: self.encode(value, (*path, key)) for key, value in mapping.items()}
        items = [[self.encode(key, path), self.encode(value, (*path, str(key)))] for key, value in mapping.items()]
        structure: dict[str, Any] = {"$mapping": type(mapping).__name__, "items": items}
        # `nn.Module.state_dict` keeps the modules' versions here, by which they read the states of their older selves.
        if hasattr(mapping, "_metadata"):
            structure["metadata"] = self.encode(mapping._metadata, path)
        return structure

    def _numbers(self, value: Any, path: tuple[str, ...]) -> dict[str, Any]:
        import numpy as np
        import torch

        if isinstance(value, torch.Tensor):
            return self._tensor(value, path)
        if (type(value) is np.ndarray or isinstance(value, np.generic)) and value.dtype.char in _NUMPY:
            native = np.array(value, dtype=value.dtype.newbyteorder("="), order="C")
            structure = {"$array": self._store(torch.from_numpy(native), path)}
            return structure | ({"scalar": True} if isinstance(value, np.generic) else {})
        place = ".".join((self._section, *path))
        raise CheckpointError(
            f"cannot save the state at '{place}': it is a {type(value).__name__}, and a checkpoint holds tensors, "
            "numeric arrays, numbers, strings, bytes, None, and dicts, lists, tuples, sets and deques of them"
        )

    def _tensor(self, tensor: Tensor, path: tuple[str, ...]) -> dict[str, Any]:
        flaw = _flaw_of_tensor(tensor)
        if flaw:
            raise CheckpointError(f"cannot save the tensor at '{'.'.join((self._section, *path))}': it {flaw}")
        same = (
            tensor.data_ptr(),
            tensor.device,
            tensor.dtype,
            tensor.shape,
            tensor.stride(),
            tensor.is_conj(),
            tensor.is_neg(),
        )
        if same in self._met and tensor.numel():
            host, structure = self._met[same]
            self._store(host, path)
            return structure
        order = _memory_order(tensor)
        host = self._on_host(tensor.detach(), path)
        structure = {"$tensor": self._store(host, path)} | ({"order": order} if order else {})
        self._met[same] = host, structure
        return structure

    def _on_host(self, tensor: Tensor, path: tuple[str, ...]) -> Tensor:
        if self._staging is not None:
            return self._staging.copy(tensor, (self._section, *path))
        return tensor.resolve_conj().resolve_neg().to("cpu").contiguous()

    def _store(self, host: Tensor, path: tuple[str, ...]) -> Any:
        """Keep `host` for the file and return what finds it there: its name, or name, type and shape."""
        import torch

        name = ".".join(path) or "value"
        while name in self.tensors or name == "__metadata__":
            name += "~"
        dtype = str(host.dtype).removeprefix("torch.")
        if dtype in STORABLE:
            self.tensors[name] = host
            return name
        flat = host.reshape(-1) if host.numel() else host.new_empty(0)  # an array of nothing may have a stride of 0
        self.tensors[name] = flat.view(torch.uint8)
        return {"name": name, "dtype": dtype, "shape": list(host.shape)}


class Decoder:
    """Turns the structure that an `Encoder` returned back into the nest, with the tensors of the file."""

    def __init__(self, tensors: dict[str, Tensor], map_location: Any = "cpu") -> None:
        self._tensors = tensors
        self._map_location = map_location
        self._decoded: dict[str, Tensor] = {}

    def decode(self, structure: Any) -> Any:
        """Return the nest. Raises `KeyError`, `TypeError` or `ValueError` where the structure is not an encoder's."""
        if isinstance(structure, list):
            return [self.decode(item) for item in structure]
        if not isinstance(structure, dict):
            return structure
        tag = next((key for key in structure if key.startswith("$")), None)
        if tag is None:
            return {key: self.decode(value) for key, value in structure.items()}
        return self._tagged(tag, structure)

    def _tagged(self, tag: str, structure: dict[str, Any]) -> Any:
        content = structure[tag]
        if tag == "$tensor":
            return self._tensor(content, structure.get("order"))
        if tag == "$array":
            array = self._find(content).numpy()
            return array[()] if structure.get("scalar") else array
        if tag == "$mapping":
            return self._mapping(_MAPPINGS[content], structure)
        if tag in _SEQUENCES:
            return _SEQUENCES[tag](self.decode(item) for item in content)
        if tag == "$deque":
            return deque(self.decode(content), maxlen=structure["maxlen"])
        if tag == "$float":
            return float(content)
        if tag == "$bytes":
            return base64.b64decode(content, validate=True)
        raise ValueError(f"unknown kind of value '{tag}'")

    def _mapping(self, kind: type, structure: dict[str, Any]) -> Any:
        mapping = kind()
        for key, value in structure["items"]:
            mapping[self.decode(key)] = self.decode(value)
        if "metadata" in structure:
            mapping._metadata = self.decode(structure["metadata"])
        return mapping

    def _tensor(self, place: Any, order: list[int] | None) -> Tensor:
        """Return the tensor at `place`, the same one each time."""
        name = place if isinstance(place, str) else place["name"]
        if name not in self._decoded:
            self._decoded[name] = _in_memory_order(self._find(place), order).to(self._map_location)
        return self._decoded[name]

    def _find(self, place: Any) -> Tensor:
        import torch

        if isinstance(place, str):
            return self._tensors[place]
        if place["dtype"] not in _AS_BYTES:
            raise ValueError(f"'{place['dtype']}' is not a type of tensors")
        return self._tensors[place["name"]].view(getattr(torch, place["dtype"])).reshape(place["shape"])


def _flaw_of_tensor(tensor: Tensor) -> str | None:
    import torch

    if torch.nn.parameter.is_lazy(tensor):
        return "is lazy and has no values yet"
    if tensor.is_meta:
        return "is on the meta device and has no values"
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return f"has the layout {tensor.layout} and the type {tensor.dtype}, and a checkpoint holds dense tensors"
    if type(tensor).__torch_dispatch__ is not torch.Tensor.__torch_dispatch__:
        return f"is a {type(tensor).__name__}; gather it into an ordinary tensor first"
    return None


def _memory_order(tensor: Tensor) -> list[int] | None:
    """Return the dimensions from the slowest to the fastest in memory, where that is not the usual order.

    Kernels choose their way by strides: a moment that comes back in another memory format than its parameter may round
    otherwise.
    """
    if tensor.is_contiguous():
        return None
    order = sorted(range(tensor.dim()), key=tensor.stride, reverse=True)
    return order if tensor.permute(order).is_contiguous() else None


def _in_memory_order(tensor: Tensor, order: list[int] | None) -> Tensor:
    if order is None:
        return tensor
    inverse = sorted(range(len(order)), key=order.__getitem__)
    return tensor.permute(order).contiguous().permute(inverse)
