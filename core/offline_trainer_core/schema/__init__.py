"""The language as JSON Schema, for editors."""

from offline_trainer_core.schema.json_schema import json_schema

__all__ = ["json_schema"]
