"""A trained policy on the disk: in the folder of a run, or in that of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from offline_trainer_core.config import resolve_config
from offline_trainer_core.deploy.building import policy_of, sections_of_policy
from offline_trainer_core.deploy.definition import definition_of
from offline_trainer_core.errors import CheckpointError, ConfigError, Problem, UsageError
from offline_trainer_core.record import Checkpoint, RunFolder, load_checkpoint
from offline_trainer_core.record.manifest import MANIFEST

if TYPE_CHECKING:
    import torch

    from offline_trainer_core.networks import PolicyModule

__all__ = ["CONFIG", "Trained", "read_trained"]

CONFIG = "config.yaml"


class Trained(NamedTuple):
    """A policy as it was saved."""

    definition: Mapping[str, Any]
    checkpoint: Checkpoint

    @property
    def source(self) -> str:
        """The checkpoint, as messages name it."""
        return f"checkpoint {self.checkpoint.path}"

    def policy(self, device: torch.device) -> PolicyModule:
        """Return the policy on `device`, in eval mode; see `policy_of`."""
        try:
            return policy_of(self.definition, self.state(), source=self.source, device=device)
        except ConfigError as error:
            raise ConfigError(self._with_origin(problem) for problem in error.problems) from None

    def _with_origin(self, problem: Problem) -> Problem:
        """Return a problem with the package that the component came from when the checkpoint was saved."""
        entries = (self.checkpoint.manifest.plan or {}).get("entries", {})
        entry = entries.get(problem.config_path.removesuffix("._type_"))
        if problem.code != "unknown-component" or entry is None:
            return problem
        return replace(problem, fix=f"pip install {entry['distribution']}=={entry['version']}")

    def state(self) -> dict[str, Any]:
        """Return what the policy needs of the checkpoint, by section, with the weights that it acts with."""
        from offline_trainer_core.networks import with_policy_weights

        state = with_policy_weights(self.checkpoint.state, self.source)
        return {name: nest for name, nest in state.items() if not name.startswith(("callbacks.", "plugins."))}


def read_trained(folder: Path, checkpoint: str | None) -> Trained:
    """Read the policy of a run, or of a checkpoint folder. Raises `UsageError` where `folder` is neither."""
    if (folder / CONFIG).is_file():
        return _of_run(folder, checkpoint)
    if (folder / MANIFEST).is_file():
        if checkpoint is not None:
            raise UsageError(f"{folder} is a checkpoint already: 'checkpoint' chooses among those of a run")
        found = load_checkpoint(folder, wanted=sections_of_policy)
        return Trained(definition_of(found.manifest.config), found)
    what = "has none of the three" if folder.is_dir() else "is no folder" if folder.exists() else "does not exist"
    raise UsageError(
        f"{folder} {what}: a policy is loaded from the folder of a run ({CONFIG}), of a checkpoint ({MANIFEST}), or of "
        "an export (policy.json)"
    )


def _of_run(folder: Path, checkpoint: str | None) -> Trained:
    """Read the wanted checkpoint; by default the best one if there is one, else the last."""
    store = RunFolder(folder).checkpoints
    definition = definition_of(resolve_config(folder / CONFIG).plain())
    name = checkpoint or store.best() or store.last() or store.latest()
    if name is None:
        raise CheckpointError(f"{folder} has no checkpoint yet, so there is no policy to load")
    return Trained(definition, store.load(name, wanted=sections_of_policy))
