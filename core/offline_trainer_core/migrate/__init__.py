"""Older dialects and names, rewritten into those of today."""

from offline_trainer_core.migrate.dialects import dialect_of, translated
from offline_trainer_core.migrate.renamed import Renaming, rename

__all__ = ["Renaming", "dialect_of", "rename", "translated"]
