"""The processes of a run: what they say to each other, and what asks them to stop."""

from offline_trainer_core.distributed.agreement import Agreement, Decision
from offline_trainer_core.distributed.collectives import Collectives, OneProcess, agree_on_names
from offline_trainer_core.distributed.process_group import LISTENING, ProcessGroup, connect
from offline_trainer_core.distributed.stopping import (
    STARTED,
    StoppedEarly,
    StopSignals,
    end_with_parent,
    endure_signals,
    listening,
)

__all__ = [
    "LISTENING",
    "STARTED",
    "Agreement",
    "Collectives",
    "Decision",
    "OneProcess",
    "ProcessGroup",
    "StopSignals",
    "StoppedEarly",
    "agree_on_names",
    "connect",
    "end_with_parent",
    "endure_signals",
    "listening",
]
