"""`load_policy`: a trained policy, ready to act."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.deploy.passport import PASSPORT, Passport
from offline_trainer_core.deploy.trained import read_trained
from offline_trainer_core.errors import ComponentError, DeviceError, UsageError
from offline_trainer_core.run import build_registry

if TYPE_CHECKING:
    import torch

    from offline_trainer_core.networks import TrainedPolicy

__all__ = ["load_policy"]


def load_policy(
    path: str | os.PathLike[str],
    checkpoint: str | None = None,
    device: str | torch.device = "cpu",
    *,
    trust_code: bool = False,
) -> TrainedPolicy:
    """Return the policy of a run, of a checkpoint or of an export: `policy(observation) -> action`, both raw.

    `path` is the folder of one of the three. `checkpoint` is a name, `best`, `last` or a path, for a run: by default
    the best one if there is one, else the last. No data, optimizer, callback or trainer is needed or imported; the
    weights are those that evaluation acts with.

    No code is loaded from the folder, with one exception: an export that is a program, such as `policy.pt2`, is refused
    until `trust_code` says that you know who wrote it.

    Raises:
        UsageError: The folder is none of the three, or a program that nobody trusts.
        CheckpointError: There is no checkpoint, it is damaged, or of another architecture.
        ConfigError, ComponentError: A component of the policy is not installed, or it cannot act.
        DeviceError: There is no such device.
    """
    from offline_trainer_core.networks import TrainedPolicy

    folder, place = Path(path).expanduser(), _device(device)
    if (folder / PASSPORT).is_file():
        if checkpoint is not None:
            raise UsageError(f"{folder} is an export: 'checkpoint' chooses among those of a run")
        return _exported(folder, place, trust_code=trust_code)
    return TrainedPolicy(read_trained(folder, checkpoint).policy(place), place)


def _exported(folder: Path, device: torch.device, *, trust_code: bool) -> TrainedPolicy:
    from offline_trainer_core.networks import TrainedPolicy

    passport = Passport.read(folder)
    exporter = _exporter(passport, build_registry()).load()
    if getattr(exporter, "runs_code", False) and not trust_code:
        raise UsageError(
            f"{folder} holds a program, and {passport.exporter['key']} runs what it says: load it with trust_code=True "
            "if you know who wrote it, or ask for an export as safetensors or onnx, which hold no code"
        )
    act = exporter().load(folder=folder, device=device)
    noise_shape = None if passport.noise_shape is None else tuple(passport.noise_shape)
    return TrainedPolicy(act, device, noise_shape=noise_shape, fields=passport.fields())


def _exporter(passport: Passport, registry: Registry) -> Entry:
    key, distribution = passport.exporter["key"], passport.exporter["distribution"]
    if not registry.candidates(key):
        raise ComponentError(
            f"the policy was exported by {key} of {distribution} {passport.exporter['version']}, which is not "
            f"installed: pip install {distribution}"
        )
    return registry.find(f"{key}@{distribution}" if registry.candidates(f"{key}@{distribution}") else key)


def _device(device: Any) -> torch.device:
    import torch

    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise DeviceError(f"there is no device '{device}': give cpu, cuda or cuda:N") from error
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"there is no device '{device}': torch sees {torch.cuda.device_count()} GPUs; give cpu")
    return place
