"""The built-in components of Offline Trainer."""
