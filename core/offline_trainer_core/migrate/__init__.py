"""Older dialects and names, rewritten into those of today."""

from offline_trainer_core.migrate.dialects import Translation, dialect_of, translate, translated
from offline_trainer_core.migrate.renamed import Renaming, rename

__all__ = ["Renaming", "Translation", "dialect_of", "rename", "translate", "translated"]
