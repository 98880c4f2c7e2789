"""The command line: `ot`, one file for each command, imported when the command is typed."""

from offline_trainer_core.cli.group import main

__all__ = ["main"]
