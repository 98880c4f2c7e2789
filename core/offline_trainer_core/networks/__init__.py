"""Networks, and what a policy is beside them: how they begin, normalization, acting. Nothing in here trains."""

from offline_trainer_core.networks.acting import POLICY_WEIGHTS, with_policy_weights
from offline_trainer_core.networks.models import (
    INITIALISATIONS,
    ModelOptions,
    freeze,
    initialise,
    is_lazy,
    load_weights_into,
)
from offline_trainer_core.networks.normalizer import Normalizer
from offline_trainer_core.networks.observation import FieldInfo
from offline_trainer_core.networks.policy import PolicyModule, TrainedPolicy
from offline_trainer_core.networks.seeding import seed_everything
from offline_trainer_core.networks.surroundings import Surroundings

__all__ = [
    "INITIALISATIONS",
    "POLICY_WEIGHTS",
    "FieldInfo",
    "ModelOptions",
    "Normalizer",
    "PolicyModule",
    "Surroundings",
    "TrainedPolicy",
    "freeze",
    "initialise",
    "is_lazy",
    "load_weights_into",
    "seed_everything",
    "with_policy_weights",
]
