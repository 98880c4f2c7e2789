"""Where a run runs: enough to run it again, and to see what differs when it comes out otherwise."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["describe_environment", "what_bits_depend_on"]

_LONGEST_DIFF = 1 << 20
"""Characters of the uncommitted change that are kept."""


def describe_environment(distributions: Mapping[str, str], directory: Path | None = None) -> dict[str, Any]:
    """Return Python, operating system, torch and its devices, the versions of `distributions`, and the state of the git
    repository around `directory` (by default the working directory) as plain data.
    """
    return {
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "executable": sys.executable,
        "os": {"platform": platform.platform(), "machine": platform.machine(), "cpus": os.cpu_count()},
        "host": platform.node(),
        "torch": _torch(),
        "distributions": dict(sorted(distributions.items())),
        "git": _git(directory or Path.cwd()),
    }


def what_bits_depend_on(device: Any) -> dict[str, Any]:
    """Return, by their names for people, the things on which the bits of a result depend beside plan and configuration:
    a run that is resumed where one of them differs is not exact.
    """
    import torch
    from importlib_metadata import version

    on_gpu = device.type == "cuda"
    return {
        "offline-trainer-core": version("offline-trainer-core"),
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name(device) if on_gpu else device.type,
        "CUDA": torch.version.cuda if on_gpu else None,
        "cuDNN": torch.backends.cudnn.version() if on_gpu else None,  # type: ignore[no-untyped-call]
        "machine": platform.machine(),
        "CPU capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "deterministic kernels": torch.are_deterministic_algorithms_enabled(),
    }


def _torch() -> dict[str, Any]:
    import torch

    cuda = torch.cuda.is_available()
    return {
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if cuda else None,  # type: ignore[no-untyped-call]
        "devices": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())] if cuda else [],
        "threads": torch.get_num_threads(),
    }


def _git(directory: Path) -> dict[str, Any] | None:
    """Return commit, uncommitted change and untracked files, or None outside of a repository."""
    commit = _ask_git(directory, "rev-parse", "HEAD")
    if commit is None:
        return None
    # A repository's own settings may name programs that show differences; a record runs none of them.
    diff = _ask_git(directory, "diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color") or ""
    untracked = _ask_git(directory, "ls-files", "--others", "--exclude-standard") or ""
    return {
        "commit": commit.strip(),
        "dirty": bool(diff),
        "diff": diff[:_LONGEST_DIFF],
        "diff_complete": len(diff) <= _LONGEST_DIFF,
        "untracked": untracked.splitlines(),
    }


def _ask_git(directory: Path, *arguments: str) -> str | None:
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotepath=false", *arguments]
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        answer = subprocess.run(command, cwd=directory, env=environment, capture_output=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode(errors="replace")
