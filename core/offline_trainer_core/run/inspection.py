"""Prepares the policy of a configuration for being looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from offline_trainer_core.config import concealing
from offline_trainer_core.errors import OfflineTrainerError, UsageError
from offline_trainer_core.run.checked import Source, checked
from offline_trainer_core.run.opening import describe_run, folder_of
from offline_trainer_core.run.processes import joined

if TYPE_CHECKING:
    from offline_trainer_core.engine import Specimen

__all__ = ["specimen"]


def specimen(config: Source, overrides: Sequence[str] = ()) -> Specimen:
    """Return the models of `config` as training would begin with them, and one real batch of its data.

    `config` is the path of a YAML file, the folder of a run, which stands for the configuration that it recorded, or a
    mapping. Nothing is trained or written; loggers, callbacks, metrics and evaluations are not even built.

    Raises:
        ConfigError: The configuration is wrong; it carries every problem.
        OfflineTrainerError: What can go wrong after that, such as data that is not there.
    """
    from offline_trainer_core.build import build_parts, explain_failure
    from offline_trainer_core.engine import take_specimen

    resolved, registry, report = checked(_recorded(config), overrides)
    with concealing(resolved), joined() as collectives:
        info = describe_run(resolved, report.plan, folder_of(resolved), collectives)
        try:
            parts = build_parts(resolved, registry, report.plan, run=info, collectives=collectives, observers=False)
            return take_specimen(parts)
        except OfflineTrainerError:
            raise
        except Exception as error:
            explained = explain_failure(error, report.plan, info, collectives)
            if explained is None:
                raise
            raise explained from error


def _recorded(config: Source) -> Source:
    """Return the configuration that a run recorded where `config` is its folder."""
    if not isinstance(config, (str, os.PathLike)) or not Path(config).is_dir():
        return config
    file = Path(config) / "config.yaml"
    if not file.is_file():
        raise UsageError(f"{config} is no run folder: it has no config.yaml")
    return file
