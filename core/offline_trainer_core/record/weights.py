"""Weights to start from, whoever wrote them."""

from __future__ import annotations

import os
import tarfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.record.files import FileReader
from offline_trainer_core.record.manifest import Manifest
from offline_trainer_core.record.sections import read_sections
from offline_trainer_core.record.tensors import read_tensors

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["load_weights"]

_MODELS = "models."


def load_weights(path: str | os.PathLike[str], component: str | None = None) -> dict[str, Tensor]:
    """Return the weights at `path` by parameter name, on the CPU.

    `path` is a safetensors file, a checkpoint folder, or a `.pt` file that holds tensors only. Of a checkpoint of
    several models it is the one named `component`. Raises `CheckpointError`.
    """
    place = Path(path)
    if place.is_dir():
        return _from_checkpoint(place, component)
    if not place.is_file():
        raise CheckpointError(f"there are no weights at {place}")
    if place.suffix == ".safetensors":
        return _from_safetensors(place)
    return _from_torch(place)


def _from_checkpoint(folder: Path, component: str | None) -> dict[str, Tensor]:
    manifest = Manifest.read(folder)
    models = read_sections(folder, manifest, wanted=lambda section: section.startswith(_MODELS))
    names = [section.removeprefix(_MODELS) for section in models]
    chosen = component if component in names else names[0] if len(names) == 1 else None
    if chosen is None:
        asked = f"'{component}' is not one of them" if component else "say which"
        raise CheckpointError(f"checkpoint {folder} holds the models {', '.join(names) or '(none)'}: {asked}")
    return _tensors_only(models[_MODELS + chosen], folder)


def _from_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with FileReader(path.resolve(), str(path)) as reader:
            return read_tensors(reader)
    except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is not a safetensors file, or it is damaged: {error}") from error


def _from_torch(path: Path) -> dict[str, Tensor]:
    import torch

    try:
        if tarfile.is_tarfile(path):
            raise ValueError("a tar archive, as torch wrote before 2018, would be unpacked into the temporary folder")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats that torch itself gave up
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a file that is no weights file makes torch raise is not limited
        raise CheckpointError(
            f"{path} cannot be read as weights: it is damaged, or holds objects that are not tensors, which are "
            "never loaded. Save its state_dict with safetensors.torch.save_file where the model's code is at hand"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    return _tensors_only(content, path)


def _tensors_only(content: Any, path: Path) -> dict[str, Tensor]:
    import torch

    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not weights by parameter name")
    foreign = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    if foreign:
        raise CheckpointError(f"{path} does not hold weights alone: {', '.join(foreign[:5])} are not tensors")
    return dict(content)
