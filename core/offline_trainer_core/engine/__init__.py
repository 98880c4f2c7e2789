"""What trainers are made of, and what callbacks see of a run."""

from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.parts import call_with_parts
from offline_trainer_core.engine.prepare import LoopSettings
from offline_trainer_core.engine.rehearsal import Hop, Rehearsal, rehearse
from offline_trainer_core.engine.session import Session

__all__ = [
    "Hop",
    "LoopSettings",
    "Rehearsal",
    "RunContext",
    "Session",
    "call_with_parts",
    "rehearse",
]
