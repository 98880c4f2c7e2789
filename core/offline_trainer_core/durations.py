"""How long something may take, written as SLURM's `--time` is."""

from __future__ import annotations

import re

__all__ = ["FORMS", "seconds_of"]

FORMS = "minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS"
"""What `seconds_of` reads."""

_NUMBER = "[0-9]{1,7}"
_DAYS = re.compile(rf"({_NUMBER})-({_NUMBER})(?::({_NUMBER}))?(?::({_NUMBER}))?")
_HOURS = re.compile(rf"({_NUMBER}):({_NUMBER}):({_NUMBER})")
_MINUTES = re.compile(rf"({_NUMBER})(?::({_NUMBER}))?")


def seconds_of(duration: str | int) -> int:
    """Return the seconds that `duration` stands for; a plain number counts minutes.

    Raises `ValueError` where it is none of `FORMS`, or no time at all.
    """
    text = str(duration).strip()
    if found := _DAYS.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    elif found := _HOURS.fullmatch(text):
        days, (hours, minutes, seconds) = 0, (int(part) for part in found.groups())
    elif found := _MINUTES.fullmatch(text):
        days, hours, (minutes, seconds) = 0, 0, (int(part or 0) for part in found.groups())
    else:
        raise ValueError(f"'{duration}' is no duration; it is written as {FORMS}")
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total == 0:
        raise ValueError(f"'{duration}' is no time at all")
    return total
