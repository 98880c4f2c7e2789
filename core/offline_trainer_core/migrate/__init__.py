"""Older dialects and names, rewritten into those of today."""

from offline_trainer_core.migrate.dialects import Translation, dialect_of, translate, translated

__all__ = ["Translation", "dialect_of", "translate", "translated"]
