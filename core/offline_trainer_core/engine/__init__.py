"""What trainers are made of, and what callbacks see of a run."""

from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.models import INITIALISATIONS, ModelOptions
from offline_trainer_core.engine.normalizer import Normalizer
from offline_trainer_core.engine.parts import call_with_parts
from offline_trainer_core.engine.policy import TrainedPolicy
from offline_trainer_core.engine.prepare import LoopSettings
from offline_trainer_core.engine.rehearsal import Hop, Rehearsal, rehearse
from offline_trainer_core.engine.seeding import seed_everything
from offline_trainer_core.engine.session import Session

__all__ = [
    "INITIALISATIONS",
    "Hop",
    "LoopSettings",
    "ModelOptions",
    "Normalizer",
    "Rehearsal",
    "RunContext",
    "Session",
    "TrainedPolicy",
    "call_with_parts",
    "rehearse",
    "seed_everything",
]
