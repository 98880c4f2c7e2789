"""A recording's own statistics: put together exactly, and compared with its numbers."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offline_trainer_core.errors import DataError

CAMERA = "observation.images.front"


def change(recording: Path, episode: int, feature: str, name: str, value: Any) -> None:
    file = recording / "meta/episodes_stats.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[episode]["stats"][feature][name] = value
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_those_of_the_file_are_those_of_the_training_frames(lerobot: Any) -> None:
    recorded, computed = (lerobot(seed=3, statistics=which).stats for which in ("recorded", "computed"))
    everything = lerobot(seed=3, statistics="computed", validation=0.0).stats
    assert set(recorded) == set(computed) == {"state", "action", "image"}
    for field in ("state", "action"):
        for name in ("mean", "std", "min", "max", "count"):
            torch.testing.assert_close(recorded[field][name], computed[field][name], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(everything["state"]["mean"], computed["state"]["mean"])


@pytest.mark.parametrize("data", ["g1_bottle_state", "g1_bottle_video"])
def test_real_recordings_agree_with_themselves(data: str, real_data: Any, lerobot: Any) -> None:
    fields = {"state": "observation.state", "action": "action", "time": "timestamp"}
    given = {"path": real_data(data), "fields": fields, "batch_size": 64}
    recorded, computed = (lerobot(**given, statistics=which).stats for which in ("recorded", "computed"))
    for field in fields:
        for name in ("mean", "std", "min", "max", "count"):
            torch.testing.assert_close(recorded[field][name], computed[field][name], rtol=1e-5, atol=1e-5)


def test_those_of_a_camera_are_per_channel_in_the_units_of_a_batch(
    recording: Path, lerobot: Any, sequential: Any
) -> None:
    stats = lerobot(validation=0.0).stats["image"]
    pixels = np.concatenate([sequential(file).reshape(-1, 3) for file in sorted(recording.glob("videos/**/*.mp4"))])
    np.testing.assert_allclose(stats["mean"], pixels.mean(0), rtol=1e-5)
    np.testing.assert_allclose(stats["std"], pixels.std(0), rtol=1e-5)
    assert stats["min"].tolist() == pixels.min(0).tolist()
    assert stats["max"].tolist() == pixels.max(0).tolist()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("mean", [0.0, 999.0], r"the mean of 'action' \(dimension 1\) is 999; its frames in .*000002.parquet give"),
        ("std", [float("nan"), 1.0], r"the std of 'action' \(dimension 0\) is nan"),
        ("max", [9.0, 9.0], r"the max of 'action' \(dimension 0\) is 9"),
        ("count", [5], r"the count of 'action' is 5; its frames in .*000002.parquet give 6"),
    ],
)
def test_a_number_that_disagrees_is_named_with_a_way_on(
    name: str, value: Any, said: str, recording: Path, lerobot: Any, caplog: pytest.LogCaptureFixture
) -> None:
    if name == "mean":
        lines = [json.loads(line) for line in (recording / "meta/episodes_stats.jsonl").read_text().splitlines()]
        value = [lines[2]["stats"]["action"]["mean"][0], 999.0]
    change(recording, 2, "action", name, value)
    with pytest.raises(DataError, match=rf"episode 2 says that {said}.*; set data.statistics: computed"):
        lerobot()
    with caplog.at_level(logging.WARNING):
        lerobot(statistics="computed")
    assert f"the {name} of 'action'" in caplog.text


@pytest.mark.parametrize("change_of", [0.0, 2e-3])
def test_rounding_is_no_disagreement(change_of: float, recording: Path, lerobot: Any) -> None:
    lines = [json.loads(line) for line in (recording / "meta/episodes_stats.jsonl").read_text().splitlines()]
    mean = np.array(lines[1]["stats"]["observation.state"]["mean"])
    change(recording, 1, "observation.state", "mean", (mean * (1 + 1e-7) + change_of).tolist())
    if change_of:
        with pytest.raises(DataError, match=r"the mean of 'observation.state'"):
            lerobot()
    else:
        lerobot()


def test_a_file_without_them_says_how_to_go_on(recording: Path, lerobot: Any) -> None:
    file = recording / "meta/episodes_stats.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        del line["stats"]["action"]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(DataError, match=r"no statistics of 'action' for episode 0; set data.statistics: computed"):
        lerobot()
    assert set(lerobot(statistics="computed").stats) == {"state", "action", "image"}
    file.unlink()
    with pytest.raises(DataError, match=r"episodes_stats.jsonl is missing .*set data.statistics: computed"):
        lerobot()
    assert set(lerobot(statistics="computed").stats) == {"state", "action"}


def test_a_shape_that_does_not_fit_is_named(recording: Path, lerobot: Any) -> None:
    change(recording, 0, "action", "mean", [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match=r"the statistics of 'action' for episode 0 cannot be read"):
        lerobot()
