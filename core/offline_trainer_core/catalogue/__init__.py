"""Which components are installed, known from metadata alone: looking imports nothing."""

from offline_trainer_core.catalogue.entry import Entry
from offline_trainer_core.catalogue.installed import (
    installed_commands,
    installed_plugins,
    installed_readers,
    installed_registry,
)
from offline_trainer_core.catalogue.registry import LeftOut, Registry
from offline_trainer_core.catalogue.requirements import CORE

__all__ = [
    "CORE",
    "Entry",
    "LeftOut",
    "Registry",
    "installed_commands",
    "installed_plugins",
    "installed_readers",
    "installed_registry",
]
