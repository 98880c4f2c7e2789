"""Blocks: small networks that models are put together from, one file per family."""
