"""What is wrong with a recording is said before training, in one message that names the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from offline_trainer_core.errors import DataError

CAMERA = "observation.images.front"
VIDEO = "videos/chunk-000/observation.images.front/episode_000001.mp4"
PARQUET = "data/chunk-000/episode_000001.parquet"


def inform(recording: Path, **changes: Any) -> None:
    file = recording / "meta/info.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def rewrite(recording: Path, **columns: Any) -> None:
    table = pq.read_table(recording / PARQUET)
    for name, values in columns.items():
        at = table.schema.names.index(name)
        table = table.remove_column(at) if values is None else table.set_column(at, name, pa.array(values))
    pq.write_table(table, recording / PARQUET)


def test_a_video_that_is_missing(recording: Path, lerobot: Any) -> None:
    (recording / VIDEO).unlink()
    with pytest.raises(DataError, match=rf"{VIDEO} is missing: meta/episodes.jsonl lists episode 1"):
        lerobot()
    lerobot(fields={"action": "action"})


def test_a_video_that_is_truncated(recording: Path, lerobot: Any) -> None:
    (recording / VIDEO).write_bytes((recording / VIDEO).read_bytes()[:-100])
    with pytest.raises(DataError, match=rf"{VIDEO} is truncated"):
        lerobot()


def test_a_video_with_fewer_frames_than_rows(recording: Path, lerobot: Any) -> None:
    shutil.copy(recording / VIDEO.replace("1.mp4", "2.mp4"), recording / VIDEO)
    with pytest.raises(DataError, match=rf"{VIDEO} has 6 whole frames for the 14 rows of episode 1"):
        lerobot()


def test_a_video_at_another_frequency(recording: Path, lerobot: Any, write_film: Any) -> None:
    write_film(recording / VIDEO, 40, 25, (32, 48))
    with pytest.raises(DataError, match=rf"{VIDEO}: frame 1 of episode 1 has the time stamp 0.1 s, and the nearest"):
        lerobot()
    lerobot(tolerance_s=0.03)


def test_videos_of_different_sizes(recording: Path, lerobot: Any, write_film: Any) -> None:
    write_film(recording / VIDEO, 14, 10, (64, 64))
    with pytest.raises(DataError, match=rf"{VIDEO} is 64 x 64, and .* 32 x 48; set data.image_size"):
        lerobot()
    lerobot(image_size=[32, 32])


def test_a_parquet_without_a_declared_key(recording: Path, lerobot: Any) -> None:
    rewrite(recording, action=None)
    with pytest.raises(
        DataError, match=rf"{PARQUET} has no column 'action', which meta/info.json declares; it has: obs"
    ):
        lerobot()


@pytest.mark.parametrize("values", [[[1.0, 2.0, 3.0]] * 14, [[1.0, 2.0]] * 13 + [None], [[1.0, 2.0]] * 13 + [[1.0]]])
def test_a_parquet_whose_rows_have_another_shape(values: Any, recording: Path, lerobot: Any) -> None:
    rewrite(recording, action=values)
    with pytest.raises(DataError, match=rf"{PARQUET}: 'action' has .* each row has the shape \[2\]"):
        lerobot()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite(number: float, recording: Path, lerobot: Any) -> None:
    rewrite(recording, action=[[0.0, 1.0]] * 5 + [[0.0, number]] * 2 + [[0.0, 1.0]] * 7)
    message = rf"{PARQUET}: 'action' has NaN or infinite numbers in frame 5 of episode 1 \(2 of 40 frames have\)"
    for statistics in ("recorded", "computed"):
        with pytest.raises(DataError, match=message):
            lerobot(statistics=statistics)


def test_time_stamps_with_a_gap(recording: Path, lerobot: Any) -> None:
    stamps = np.arange(14, dtype=np.float32) / 10
    stamps[5:] += 0.25
    rewrite(recording, timestamp=stamps)
    message = rf"{PARQUET}: the time stamps of episode 1 have a gap: frame 5 comes 0.35 s after frame 4, at 10 fps"
    with pytest.raises(DataError, match=message):
        lerobot()
    lerobot(fields={"action": "action"}, tolerance_s=0.3, statistics="computed")


@pytest.mark.parametrize("stamps", [np.zeros(14), -np.arange(14) / 10, np.full(14, np.nan)])
def test_time_stamps_that_are_none(stamps: Any, recording: Path, lerobot: Any) -> None:
    rewrite(recording, timestamp=stamps.astype(np.float32))
    with pytest.raises(DataError, match=rf"{PARQUET}: the frames of episode 1 are"):
        lerobot()


def test_a_frequency_that_is_not_the_recordings(recording: Path, lerobot: Any) -> None:
    inform(recording, fps=30)
    with pytest.raises(DataError, match=r"episode 0 are 0.1 s apart, and meta/info.json says fps 30, which is 0.033"):
        lerobot()


@pytest.mark.parametrize("fps", [0, -1, "ten", None, True, float("inf"), float("nan")])
def test_a_frequency_that_is_no_number(fps: Any, recording: Path, lerobot: Any) -> None:
    inform(recording, fps=fps)
    with pytest.raises(DataError, match=r"meta/info.json: fps is .*; it must be a positive number"):
        lerobot()


def test_long_recordings_are_not_blamed_for_the_rounding_of_float32(tmp_path: Path) -> None:
    from ot_builtins.data.lerobot.timestamps import tolerances

    stamps = (np.arange(30 * 3600) / 30).astype(np.float32).astype(np.float64)
    off = np.abs(np.diff(stamps) - 1 / 30)
    assert off.max() > 1e-4
    assert (off <= tolerances(stamps[1:], 1e-4)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": {"image": "observation.images.fornt"}}, "no feature 'observation.images.fornt'.*did you mean"),
        ({"fields": {"image": "observation.snapshot"}}, "of dtype image, and only numbers and videos are read"),
        ({"fields": {}}, "fields is empty; .* has: observation.state, action, timestamp"),
        ({"chunked": ["action", "task"]}, "chunked names 'task', which is the task"),
        ({"chunked": ["actions"]}, "data.lerobot: chunked names 'actions'.*did you mean 'action'"),
        ({"image_size": [0, 32]}, r"image_size is \[0, 32\]; it must be two positive numbers"),
        ({"image_size": [32]}, r"image_size is \[32\]; it must be two positive numbers"),
        ({"cache": "disk"}, "cache: disk needs cache_dir"),
        ({"cache": "ram"}, "cache is none, memory or disk, not 'ram'"),
        ({"statistics": "guessed"}, "statistics is recorded or computed, not 'guessed'"),
        ({"history": 0}, "data.lerobot: history and chunk must be at least 1"),
        ({"skip_last": -1}, "skip_last must be at least 0"),
        ({"path": "nowhere"}, "nowhere does not exist"),
    ],
)
def test_an_argument_that_does_not_fit(options: dict[str, Any], message: str, lerobot: Any) -> None:
    given = {"chunked": ["action"] if "action" in options.get("fields", {"action": ""}) else [], **options}
    with pytest.raises(DataError, match=message):
        lerobot(**given)


def test_a_folder_of_another_version(recording: Path, lerobot: Any) -> None:
    for version in ("v3.0", "v2.2", "v1.6", None):
        inform(recording, codebase_version=version)
        with pytest.raises(DataError, match=rf"format {version}; formats v2.0 and v2.1 can be read"):
            lerobot()


@pytest.mark.parametrize("key", ["data_path", "video_path"])
@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("/etc/{episode_index}.parquet", "leads out of the recording's folder"),
        ("../{episode_index}.parquet", "leads out of the recording's folder"),
        ("data/../../{episode_index}.parquet", "leads out of the recording's folder"),
        ("data\\..\\{episode_index}.parquet", "leads out of the recording's folder"),
        ("C:/{episode_index}.parquet", "leads out of the recording's folder"),
        ("data/{episode_index.__class__}.parquet", "allowed in braces: {episode_chunk}"),
        ("data/{episode_index!r}.parquet", "allowed in braces: {episode_chunk}"),
        ("data/{episode_index:0999999999d}.parquet", "allowed in braces: {episode_chunk}"),
        ("data/{0}.parquet", "allowed in braces: {episode_chunk}"),
        ("data/{episode_index.parquet", "is no template"),
        (None, "it must be a path such as"),
    ],
)
def test_a_path_that_leads_out_or_reaches_into_objects(
    key: str, template: Any, message: str, recording: Path, lerobot: Any
) -> None:
    inform(recording, **{key: template})
    with pytest.raises(DataError, match=rf"info.json: {key} .*{message}"):
        lerobot()


def test_a_camera_whose_name_leads_out(recording: Path, lerobot: Any) -> None:
    features = json.loads((recording / "meta/info.json").read_text())["features"]
    inform(recording, features={**features, "../../x": features[CAMERA]})
    with pytest.raises(DataError, match="leads out of the recording's folder"):
        lerobot(fields={"action": "action", "image": "../../x"})


@pytest.mark.parametrize("file", ["info.json", "episodes.jsonl", "tasks.jsonl", "episodes_stats.jsonl"])
@pytest.mark.parametrize("content", ["", "{", "[]", "1", "null", '{"a": 1}', '{"features": 3}', "\0", "[" * 100_000])
def test_metadata_that_are_something_else(file: str, content: str, recording: Path, lerobot: Any) -> None:
    (recording / "meta" / file).write_text(content)
    with pytest.raises(DataError, match=r"info.json|episodes.jsonl|tasks.jsonl|episodes_stats.jsonl|format unknown"):
        lerobot()


def test_an_incomplete_copy(recording: Path, lerobot: Any) -> None:
    file = recording / "meta/episodes.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:-1]))
    with pytest.raises(DataError, match=r"lists 3 episodes; meta/info.json says 4: the copy is incomplete"):
        lerobot()
    file.write_text("\n".join([*lines[:-1], lines[0]]))
    with pytest.raises(DataError, match=r"episode 0 with 9 frames is listed twice"):
        lerobot()


def test_a_task_without_words(recording: Path, lerobot: Any) -> None:
    (recording / "meta/tasks.jsonl").write_text('{"task_index": 0, "task": "lift the cube"}\n')
    with pytest.raises(DataError, match=r"tasks.jsonl has no task 1"):
        lerobot()
