"""From an exception that a component let out back to the name that the component has in the configuration."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import FrameType, TracebackType

from offline_trainer_core.build.shortage import shortage
from offline_trainer_core.catalogue import Entry
from offline_trainer_core.distributed import Collectives
from offline_trainer_core.errors import ComponentError, DeviceError, OfflineTrainerError
from offline_trainer_core.plan import Plan
from offline_trainer_core.types import RunInfo

__all__ = ["explain_failure"]

CORE = "offline_trainer_core"


def explain_failure(
    error: Exception, plan: Plan, info: RunInfo, collectives: Collectives
) -> OfflineTrainerError | None:
    """Return what a person should read of `error`, or None where it is the core's own.

    The component that failed is the innermost one of `plan` that was being called.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][::-1]
    if (short := shortage(error, info, _component(frames, plan))) is not None:
        return short
    if (lost := collectives.lost(error)) is not None:
        return DeviceError(lost)
    names = _packages(plan)
    raised = next((frame for frame in frames if _package(frame) in {*names, CORE}), None)
    if raised is None or _package(raised) == CORE:
        return None
    return ComponentError(f"{_component(frames, plan)} failed, at {_place(error.__traceback__, raised)}")


def _packages(plan: Plan) -> set[str]:
    return {entry.reference.partition(":")[0].partition(".")[0] for entry in plan.entries.values()} - {"torch"}


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _component(frames: list[FrameType], plan: Plan) -> str:
    """Return the innermost component that was being called, with its place where it has only one."""
    for frame in frames:
        found = [(path, entry) for path, entry in plan.entries.items() if _runs(entry, frame)]
        if found:
            path, entry = found[0]
            return f"{path}: {entry.key} ({entry.label})" if len(found) == 1 else f"{entry.key} ({entry.label})"
    return "a component"


def _runs(entry: Entry, frame: FrameType) -> bool:
    """Whether `frame` is a method of the entry's class, or its function."""
    target = entry.target
    if isinstance(target, type):
        return type(frame.f_locals.get("self")) is target
    return getattr(target, "__code__", None) is frame.f_code


def _place(frames: TracebackType | None, raised: FrameType) -> str:
    line = next(line for frame, line in traceback.walk_tb(frames) if frame is raised)
    folders = Path(raised.f_code.co_filename).parts[-2:]
    return f"{'/'.join(folders)}:{line}"
