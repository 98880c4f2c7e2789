"""Durations are read as SLURM reads them."""

import pytest

from offline_trainer_core.durations import seconds_of

READ = {
    90: 5400, "90": 5400, "1:30": 90, "3:50:00": 13800, "0:90:00": 5400,
    "2-0": 172800, "1-12:30": 131400, "1-01:01:01": 90061,
}  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), READ.items())
def test_every_form_of_slurm_is_read(text: str | int, seconds: int) -> None:
    assert seconds_of(text) == seconds


NO_DURATIONS = ["", "4h", "1:2:3:4", "-5", "1.5", "1-", "1-2:3:4:5", ":30", 0, "0:00", "\u0661:\u0660\u0660"]


@pytest.mark.parametrize("text", NO_DURATIONS)
def test_what_is_no_duration_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match="is no"):
        seconds_of(text)
