"""Imitation learning for Offline Trainer: one algorithm, one file."""
