"""Small real recordings: Parquet files and encoded videos, laid out as LeRobot 2.1 does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

CAMERA = "observation.images.front"
FIELDS = {"state": "observation.state", "action": "action", "image": CAMERA, "task": "task"}
VIDEO = "videos/chunk-000/observation.images.front/episode_{:06d}.mp4"
TASKS = ("lift the cube", "put it down")


@pytest.fixture(scope="session")
def write_recording() -> Callable[..., Path]:
    """Return a function that writes a recording into a new folder and returns it."""

    def write(
        folder: Path,
        lengths: Sequence[int] = (9, 14, 6, 11),
        *,
        fps: int = 10,
        size: tuple[int, int] = (32, 48),
        codec: str = "libx264",
        options: dict[str, str] | None = None,
        version: str = "v2.1",
    ) -> Path:
        (folder / "meta").mkdir(parents=True)
        written = [
            write_episode(folder, number, length, fps, size, codec, options or {"g": "6", "bf": "2"})
            for number, length in enumerate(lengths)
        ]
        info = {
            "codebase_version": version,
            "total_episodes": len(lengths),
            "fps": fps,
            "chunks_size": 1000,
            "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
            "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
            "features": {
                "observation.state": {"dtype": "float32", "shape": [3]},
                "action": {"dtype": "float32", "shape": [2]},
                CAMERA: {"dtype": "video", "shape": [*size, 3]},
                "observation.snapshot": {"dtype": "image", "shape": [*size, 3]},
                "timestamp": {"dtype": "float32", "shape": [1]},
                "task_index": {"dtype": "int64", "shape": [1]},
            },
        }
        (folder / "meta/info.json").write_text(json.dumps(info))
        lines = {
            "episodes": [{"episode_index": e, "length": n, "tasks": [TASKS[e % 2]]} for e, n in enumerate(lengths)],
            "tasks": [{"task_index": number, "task": task} for number, task in enumerate(TASKS)],
            "episodes_stats": [{"episode_index": e, "stats": stats} for e, stats in enumerate(written)],
        }
        for name, rows in lines.items():
            (folder / f"meta/{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder

    return write


def write_episode(
    folder: Path, number: int, length: int, fps: int, size: tuple[int, int], codec: str, options: dict[str, str]
) -> dict[str, Any]:
    """Write the numbers and the video of an episode; return their statistics as LeRobot keeps them."""
    random = np.random.default_rng(number)
    columns = {
        "observation.state": (100 * number + np.arange(length)[:, None] + random.random((length, 3))),
        "action": random.normal(size=(length, 2)),
        "timestamp": np.arange(length) / fps,
        "task_index": np.full(length, number % 2),
    }
    columns = {name: v.astype(np.int64 if name == "task_index" else np.float32) for name, v in columns.items()}
    (folder / "data/chunk-000").mkdir(parents=True, exist_ok=True)
    table = pa.table({name: list(values) if values.ndim > 1 else values for name, values in columns.items()})
    pq.write_table(table, folder / f"data/chunk-000/episode_{number:06d}.parquet")
    file = folder / VIDEO.format(number)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_video(file, length, fps, size, codec, options)
    pictures = decoded(file) / 255
    shown = {
        "mean": pictures.mean((0, 1, 2)),
        "std": pictures.std((0, 1, 2)),
        "min": pictures.min((0, 1, 2)),
        "max": pictures.max((0, 1, 2)),
    }
    camera = {name: values.reshape(3, 1, 1).tolist() for name, values in shown.items()}
    return {**{name: statistics_of(v) for name, v in columns.items()}, CAMERA: {**camera, "count": [length]}}


def statistics_of(values: np.ndarray[Any, Any]) -> dict[str, list[float]]:
    found = {"mean": values.mean(0), "std": values.std(0), "min": values.min(0), "max": values.max(0)}
    return {**{name: np.atleast_1d(v).tolist() for name, v in found.items()}, "count": [len(values)]}


def write_video(
    file: Path, length: int, fps: int, size: tuple[int, int], codec: str = "libx264", options: Any = None
) -> None:
    """Encode a square that moves over a picture that becomes brighter: no two frames are alike."""
    height, width = size
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = width, height, "yuv420p", Fraction(1, fps)
        for step in range(length):
            picture = np.full((height, width, 3), (20 + 9 * step) % 200, dtype=np.uint8)
            picture[4:12, step % (width - 8) : step % (width - 8) + 8] = (255, 40, 0)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = step
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def decoded(file: Path) -> np.ndarray[Any, Any]:
    """Return all frames of a video, decoded one after the other by PyAV alone."""
    with av.open(str(file)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.fixture
def sequential() -> Callable[[Path], np.ndarray[Any, Any]]:
    """Return the function that decodes a whole video."""
    return decoded


@pytest.fixture
def write_film() -> Callable[..., None]:
    """Return the function that encodes a video."""
    return write_video


@pytest.fixture(scope="session")
def written_once(tmp_path_factory: pytest.TempPathFactory, write_recording: Callable[..., Path]) -> Path:
    """What `recording` is a copy of."""
    return write_recording(tmp_path_factory.mktemp("lerobot") / "recording")


@pytest.fixture
def recording(tmp_path: Path, written_once: Path) -> Path:
    """A recording of four episodes, 40 frames, H.264 with B-frames and a key frame every 6 frames."""
    return shutil.copytree(written_once, tmp_path / "recording")


@pytest.fixture
def lerobot(recording: Path, placed: Any) -> Callable[..., Any]:
    """Return a function that makes `data.lerobot` of `recording`, set up; keywords are arguments and places."""
    from ot_builtins.data.lerobot.module import LeRobot

    def make(**changes: Any) -> Any:
        place = {name: changes.pop(name) for name in ("seed", "rank", "world_size") if name in changes}
        given = {"path": recording, "fields": FIELDS, "batch_size": 8, "chunk": 4, "validation": 0.25, **changes}
        return placed(LeRobot(**given), **place)

    return make
