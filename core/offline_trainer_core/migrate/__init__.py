"""Older dialects and names, rewritten into those of today."""
