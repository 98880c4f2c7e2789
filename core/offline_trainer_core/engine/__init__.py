"""What trainers are made of, and what callbacks see of a run."""

from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.prepare import LoopSettings
from offline_trainer_core.engine.rehearsal import Hop, Rehearsal, rehearse
from offline_trainer_core.engine.session import Session
from offline_trainer_core.engine.specimen import Specimen, take_specimen
from offline_trainer_core.signature.parts import call_with_parts

__all__ = [
    "Hop",
    "LoopSettings",
    "Rehearsal",
    "RunContext",
    "Session",
    "Specimen",
    "call_with_parts",
    "rehearse",
    "take_specimen",
]
