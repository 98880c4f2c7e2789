"""What a component takes, read from its source without importing anything, or from the live object."""

from offline_trainer_core.signature.annotations import Misfit, check_type, choices, find_misfit
from offline_trainer_core.signature.live import signature_of, validate_kwargs
from offline_trainer_core.signature.parameters import Fit, Parameter, Signature, missing_and_unknown
from offline_trainer_core.signature.source import Module, find_spec, read_module
from offline_trainer_core.signature.static import read_signature

__all__ = [
    "Fit",
    "Misfit",
    "Module",
    "Parameter",
    "Signature",
    "check_type",
    "choices",
    "find_misfit",
    "find_spec",
    "missing_and_unknown",
    "read_module",
    "read_signature",
    "signature_of",
    "validate_kwargs",
]
