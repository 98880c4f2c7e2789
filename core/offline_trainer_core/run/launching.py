"""Starts the processes of a run."""

from __future__ import annotations

from collections.abc import Sequence

from offline_trainer_core.run.checked import Source, checked
from offline_trainer_core.run.opening import folder_of

__all__ = ["launch"]


def launch(config: Source, overrides: Sequence[str], arguments: Sequence[str], processes: int) -> int:
    """Start `ot <arguments>` on several processes through the configuration's launcher; return the exit code.

    The configuration is checked here first, so that one process reports what is wrong with it.
    """
    from offline_trainer_core.build import build_section

    resolved, registry, _ = checked(config, overrides)
    launcher = build_section(resolved, registry, "run.launcher", default="launcher.local")
    code: int = launcher.launch(list(arguments), processes)
    status = folder_of(resolved).status
    return 75 if code and status is not None and status.status == "stopped" else code
