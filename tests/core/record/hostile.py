"""Checkpoints and weights files that somebody made to run code, to exhaust the memory, or to reach other files."""

import io
import json
import os
import pickle
import shutil
import struct
import tarfile
import zipfile
from pathlib import Path

import torch
import xxhash


class Gadget:
    """Calls `function(*arguments)` when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def gadgets(canary: Path) -> dict:
    import builtins
    import subprocess

    touch = f"open({str(canary)!r}, 'w').close()"
    return {
        "system": Gadget(os.system, f"touch {canary}"),
        "exec": Gadget(builtins.exec, touch),
        "eval": Gadget(builtins.eval, touch),
        "open": Gadget(open, str(canary), "w"),
        "popen": Gadget(subprocess.getoutput, f"touch {canary}"),
        "getattr": Gadget(getattr, "text", "__class__"),
        "import": Gadget(builtins.__import__, "this"),
        "load": Gadget(torch.load, str(canary), None),
    }


def torch_files(folder: Path, canary: Path) -> None:
    """Write every gadget into every format that torch has ever read."""
    for name, gadget in gadgets(canary).items():
        torch.save({"w": torch.ones(2), "x": gadget}, folder / f"zip-{name}.pt")
        torch.save({"w": gadget}, folder / f"legacy-{name}.pt", _use_new_zipfile_serialization=False)
        for protocol in (0, 2, 4):
            (folder / f"pickle{protocol}-{name}.bin").write_bytes(pickle.dumps(gadget, protocol))
        (folder / f"named-safetensors-{name}.safetensors").write_bytes(pickle.dumps(gadget))
        tar(folder / f"tar-{name}.pt", gadget)
        polyglot(folder / f"polyglot-{name}.safetensors", gadget)
        torch.save({"state_dict": {"w": torch.ones(2)}, "hyper_parameters": gadget}, folder / f"lightning-{name}.ckpt")
    (folder / "set-items.pt").write_bytes(b"\x80\x02c__builtin__\nset\n(tR(K\x01K\x02u.")
    (folder / "storage-of-storages.pt").write_bytes(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(((((tR.")


def tar(path: Path, gadget: Gadget) -> None:
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = pickle.dumps(gadget)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def polyglot(path: Path, gadget: Gadget) -> None:
    """Write weights that are a torch file too, for whoever looks at its end."""
    torch.save(gadget, path)
    path.write_bytes(with_header({"w": entry("F32", [1], 0, 4)}, bytes(4)) + path.read_bytes())


def entry(dtype, shape, begin, end) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def with_header(header, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def headers() -> dict[str, bytes]:
    """Return safetensors files that are none."""
    four = bytes(4)
    return {
        "overlap": with_header({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 0, 4)}, four),
        "gap": with_header({"a": entry("F32", [1], 4, 8)}, bytes(8)),
        "tail": with_header({"a": entry("F32", [1], 0, 4)}, bytes(8)),
        "negative": with_header({"a": entry("F32", [1], -4, 0)}, four),
        "backwards": with_header({"a": entry("F32", [1], 4, 0)}, four),
        "beyond": with_header({"a": entry("F32", [1 << 40], 0, 1 << 42)}, four),
        "overflow": with_header({"a": entry("F32", [1 << 62, 4], 0, 0)}, b""),
        "product": with_header({"a": entry("F32", [-1, -1], 0, 4)}, four),
        "zeros": with_header({"a": entry("F32", [1 << 62, 0], 0, 0)}),
        "huge-zeros": with_header({"a": entry("F32", [1 << 70, 0], 0, 0)}),
        "many-dimensions": with_header({"a": entry("F32", [1] * 100_000, 0, 4)}, four),
        "length": struct.pack("<Q", 1 << 62),
        "length-of-100-GB": struct.pack("<Q", 100 << 30) + b"{}",
        "short": b"\x02",
        "list": with_header([]),
        "deep": with_header(b"[" * 200_000),
        "deep-entry": with_header(b'{"a":' * 100_000),
        "number": with_header({"a": 3}),
        "code": with_header({"a": entry("O", [1], 0, 8)}, bytes(8)),
        "unhashable": with_header({"a": entry(["F32"], [1], 0, 4)}, four),
        "text-shape": with_header({"a": entry("F32", "11", 0, 4)}, four),
        "float-shape": with_header({"a": entry("F32", [1.0], 0, 4)}, four),
        "true-shape": with_header({"a": entry("F32", [True], 0, 4)}, four),
        "three-offsets": with_header({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2, 4]}}, four),
        "not-text": with_header(b"\xff\xfe{}"),
        "digits": with_header(b'{"a":' + b"9" * 100_000 + b"}"),
        "nan": with_header(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', four),
        "metadata": with_header({"__metadata__": {"format": "pt", "x": "__import__('os')"}}),
        "path": with_header({"../../etc/passwd": entry("F32", [1], 0, 4)}, four),
    }


STRUCTURES = [
    *({"$code": "import os"}, {"$tensor": 3}, {"$tensor": None}, {"$tensor": ["w"]}, {"$tensor": {"name": "w"}}),
    *({"$tensor": {"name": "w", "dtype": name, "shape": [1]}} for name in ("storage", "load", "ops", "_dynamo", "hub")),
    *({"$tensor": {"name": "w", "dtype": name, "shape": [1]}} for name in ("float32", "compiler", "onnx", "__name__")),
    *({"$tensor": "w", "order": order} for order in ([0, 0], [5], "x", [1.5], {"a": 1}, [10**30])),
    *({"$tensor": {"name": "w", "dtype": "uint16", "shape": shape}} for shape in ([1 << 50], [-1], "x", [10**30])),
    *({"$array": "absent"}, {"$array": {"name": "w", "dtype": "object", "shape": [1]}}, {"$array": 3}),
    *({"$mapping": kind, "items": []} for kind in ("__class__", "type", "object", "defaultdict", "", 3, ["dict"])),
    *({"$mapping": "dict", "items": items} for items in (3, [[1]], [[[1], 2]], [[{"$float": "nan"}, 1]], "ab")),
    {"$mapping": "OrderedDict", "items": [], "metadata": {"$code": 1}},
    {"$mapping": "dict", "items": [], "metadata": {"__class__": "x"}},
    *({"$set": value} for value in ([[1]], 3, [{"a": 1}])),
    *({"$deque": [], "maxlen": value} for value in (-1, "x", 10**30, None)),
    *({"$float": value} for value in ("__import__('os')", [1], None, "1" * 100_000)),
    *({"$bytes": value} for value in ("!!!", 3, "A" * 10_000_001, "é")),
    *({"$tuple": {"$tuple": {"$tuple": 3}}}, {"$tuple": 3, "$set": 3}, {"$": 1}, {"__class__": "os.system"}),
    {"__reduce__": ["os.system", ["touch x"]], "py/object": "os.system", "_target_": "os.system"},
]

FILES = [
    *("../../outside.json", "/etc/passwd.json", "sub/state.json", "..", ".json", "a\0b.json", "a\nb.json", "-rf.json"),
    *("weights.pt", "data.pkl", ".metadata", "code.py", "state.json/", "\\\\server\\x.json", "x" * 5000 + ".json", ""),
]


def checkpoints(folder: Path, sound: Path, canary: Path) -> None:
    """Write variations of the checkpoint `sound`, every one of them with digests that are right."""
    payloads = {name: pickle.dumps(gadget) for name, gadget in gadgets(canary).items()}
    for file in ("state.json", "models.policy.safetensors"):
        for name, payload in payloads.items():
            forged(sound, folder / f"{file}-{name}", {file: payload})
    for name, payload in payloads.items():
        shutil.copytree(sound, folder / f"manifest-{name}")
        (folder / f"manifest-{name}" / "manifest.json").write_bytes(payload)
        dcp = folder / f"dcp-{name}"
        dcp.mkdir()
        (dcp / ".metadata").write_bytes(payload)
        (dcp / "__0_0.distcp").write_bytes(payload)
    for name, data in headers().items():
        forged(sound, folder / f"header-{name}", {"models.policy.safetensors": data})
    for number, structure in enumerate(STRUCTURES):
        forged(sound, folder / f"structure-{number}", {"state.json": json.dumps({"models.policy": structure}).encode()})
    for name, text in {"deep": b'{"a":' * 200_000, "nan": b'{"models.policy": {"w": NaN}}', "list": b"[1]"}.items():
        forged(sound, folder / f"json-{name}", {"state.json": text})
    for number, name in enumerate(FILES):
        forged(sound, folder / f"file-{number}", {}, {name: {"size": 1, "xxh3_128": "0"}})
    for number, found in enumerate([3, None, [], {"size": 1}, {"size": "1", "xxh3_128": 3}, {"size": 1 << 80, "x": 1}]):
        forged(sound, folder / f"entry-{number}", {}, {"state.json": found})
    for number, file in enumerate(["/dev/zero", "/dev/stdin", "/etc/passwd", "/proc/self/mem"]):
        forged(sound, folder / f"link-{number}", {})
        (folder / f"link-{number}" / "state.json").unlink()
        (folder / f"link-{number}" / "state.json").symlink_to(file)
    sparse = folder / "sparse"
    forged(sound, sparse, {}, {"state.json": {"size": 1 << 40, "xxh3_128": "0" * 32}})
    os.truncate(sparse / "state.json", 1 << 40)
    shutil.copytree(sound, folder / "sparse-manifest")
    os.truncate(folder / "sparse-manifest" / "manifest.json", 1 << 40)
    with zipfile.ZipFile(folder / "zip.pt", "w") as archive:
        archive.writestr("../../escaped", "x")
        archive.writestr("archive/data.pkl", payloads["system"])


def forged(sound: Path, target: Path, contents: dict[str, bytes], entries: dict | None = None) -> None:
    """Copy a checkpoint with other contents, as someone would who knows how the digests are made."""
    shutil.copytree(sound, target)
    manifest = json.loads((target / "manifest.json").read_bytes())
    for name, content in contents.items():
        (target / name).write_bytes(content)
        manifest["files"][name] = {"size": len(content), "xxh3_128": xxhash.xxh3_128_hexdigest(content)}
    manifest["files"].update(entries or {})
    manifest["name"] = target.name
    manifest.pop("digest")
    digest = xxhash.xxh3_128_hexdigest(json.dumps(manifest).encode())
    (target / "manifest.json").write_bytes(json.dumps({**manifest, "digest": digest}, indent=1).encode())
