"""What a component takes, read from its source without importing anything, or from the live object."""

from offline_trainer_core.signature.annotations import read_type, type_in_words
from offline_trainer_core.signature.attributes import class_attribute
from offline_trainer_core.signature.fitting import Misfit, choices, find_misfit, named_components
from offline_trainer_core.signature.forms import Choice, Form, Named, Object, kind_of
from offline_trainer_core.signature.parameters import Parameter, Signature, default_value, missing_and_unknown
from offline_trainer_core.signature.source import Module, find_spec, read_module
from offline_trainer_core.signature.static import read_signature
from offline_trainer_core.signature.unpacked import unpacked

__all__ = [
    "Choice",
    "Form",
    "Misfit",
    "Module",
    "Named",
    "Object",
    "Parameter",
    "Signature",
    "choices",
    "class_attribute",
    "default_value",
    "find_misfit",
    "find_spec",
    "kind_of",
    "missing_and_unknown",
    "named_components",
    "read_module",
    "read_signature",
    "read_type",
    "type_in_words",
    "unpacked",
]
