"""Frames by their number are those of a decoder that reads the whole video, whatever was read before."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from offline_trainer_core.errors import ComponentError, DataError
from ot_builtins.data.lerobot.decoding import PyavDecoder, choose_backend, open_decoder, resized
from ot_builtins.data.lerobot.frames import Footage, VideoFrames
from ot_builtins.data.lerobot.videos import Clip, clip
from ot_builtins.data.storage.recording import Episode

CODECS = {
    "h264 with B-frames": ("libx264", {"g": "12", "bf": "3"}),
    "h264 with open groups": ("libx264", {"g": "8", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}),
    "h264 with one key frame": ("libx264", {"g": "250"}),
    "av1": ("libsvtav1", {"g": "6", "preset": "10"}),
}


@pytest.fixture(params=CODECS)
def video(request: pytest.FixtureRequest, tmp_path: Path, write_film: Any) -> Path:
    codec, options = CODECS[request.param]
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV has no encoder {codec}")
    write_film(tmp_path / "film.mp4", 40, 10, (64, 64), codec, options)
    return tmp_path / "film.mp4"


def whole(video: Path, length: int = 40) -> Clip:
    stamps = np.arange(length) / 10
    return clip(video, Episode(0, length, 0), stamps, np.full(length, 1e-4))


def backends() -> list[Any]:
    missing = choose_backend("auto") != "torchcodec"
    return ["pyav", pytest.param("torchcodec", marks=pytest.mark.skipif(missing, reason="torchcodec cannot be loaded"))]


@pytest.mark.parametrize("backend", backends())
def test_any_frame_in_any_order_is_that_of_a_sequential_decode(video: Path, backend: Any, sequential: Any) -> None:
    expected = torch.from_numpy(sequential(video))
    decoder = open_decoder(whole(video), backend, 1)
    order = np.random.default_rng(0).permutation(40)
    for number in [*order.tolist(), 39, 0, 39, 39, 38, 1, 2, 3]:
        assert torch.equal(decoder.read([number])[0], expected[number]), number
    assert torch.equal(decoder.read(range(40)), expected)
    assert torch.equal(decoder.read([2, 3, 17, 31]), expected[[2, 3, 17, 31]])
    assert not torch.equal(decoder.read([5])[0], expected[6])


def test_a_decoder_reads_on_and_does_not_begin_anew_for_every_frame(tmp_path: Path, write_film: Any) -> None:
    write_film(tmp_path / "film.mp4", 40, 10, (64, 64), "libx264", {"g": "250"})
    decoder = PyavDecoder(whole(tmp_path / "film.mp4"), 1)
    begun = decoder._shown
    for number in range(0, 40, 3):
        decoder.read([number])
    assert decoder._shown is begun
    decoder.read([0])
    assert decoder._shown is not begun


def test_a_frame_is_chosen_by_its_time_stamp_not_by_its_number(
    tmp_path: Path, write_film: Any, sequential: Any
) -> None:
    write_film(tmp_path / "film.mp4", 40, 20, (64, 64), "libx264", {"g": "12", "bf": "3"})
    every_second = clip(tmp_path / "film.mp4", Episode(0, 20, 0), np.arange(20) / 10, np.full(20, 1e-4))
    frames = VideoFrames(Footage([every_second], None, "pyav"))
    expected = torch.from_numpy(sequential(tmp_path / "film.mp4"))
    assert torch.equal(frames.index_select(0, torch.arange(20)), expected[::2])


def test_rows_of_several_videos_are_read_in_any_order_and_as_often_as_named(
    recording: Path, sequential: Any, lerobot: Any
) -> None:
    files = sorted(recording.glob("videos/**/*.mp4"))
    expected = torch.cat([torch.from_numpy(sequential(file)) for file in files])
    lengths = [9, 14, 6, 11]
    stamps = [np.arange(length) / 10 for length in lengths]
    clips = [clip(f, Episode(0, len(s), 0), s, np.full(len(s), 1e-4)) for f, s in zip(files, stamps, strict=True)]
    frames = VideoFrames(Footage(clips, None, "pyav"))
    rows = torch.tensor([39, 0, 0, 8, 9, 22, 23, 23, 5, 39])
    assert frames.shape == expected.shape
    for read in (frames, deepcopy(frames)):  # a copy is made as a process is given it: without the open videos
        assert torch.equal(read.index_select(0, rows), expected[rows])


def test_a_process_keeps_no_more_than_a_few_videos_open(tmp_path: Path, write_film: Any) -> None:
    write_film(tmp_path / "film.mp4", 10, 10, (64, 64))
    frames = VideoFrames(Footage([whole(tmp_path / "film.mp4", 10)] * 30, None, "pyav"))
    frames.index_select(0, torch.arange(300))
    assert 1 <= len(frames._open) <= 8


def test_frames_are_resized_when_they_are_decoded(tmp_path: Path, write_film: Any, sequential: Any) -> None:
    write_film(tmp_path / "film.mp4", 10, 10, (64, 96))
    small = VideoFrames(Footage([whole(tmp_path / "film.mp4", 10)], (16, 24), "pyav")).index_select(0, torch.arange(10))
    assert small.shape == (10, 16, 24, 3)
    full = torch.from_numpy(sequential(tmp_path / "film.mp4")).float().permute(0, 3, 1, 2)
    means = torch.nn.functional.interpolate(full, (16, 24), mode="bilinear", antialias=True).permute(0, 2, 3, 1)
    assert (small.float() - means).abs().max() <= 1
    assert torch.equal(resized(small, (16, 24)), small)


@pytest.mark.parametrize("front", [True, False])
@pytest.mark.parametrize("kept", [0.5, 0.95, 0.999])
def test_a_video_that_is_cut_short_is_refused(front: bool, kept: float, tmp_path: Path, write_film: Any) -> None:
    film = tmp_path / "film.mp4"
    write_film(film, 40, 10, (64, 64))
    if front:  # the table of contents before the frames: what is left of the file can be opened
        with av.open(str(film)) as source, av.open(str(film) + ".mp4", "w", options={"movflags": "faststart"}) as copy:
            stream = copy.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    copy.mux(packet)
        film = tmp_path / "film.mp4.mp4"
    whole(film)
    film.write_bytes(film.read_bytes()[: int(film.stat().st_size * kept)])
    with pytest.raises(DataError, match=r"film\.mp4.*(truncated: it ends \d+ bytes too early)"):
        whole(film)


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "film.mp4 cannot be read"), (b"no video at all" * 9, "film.mp4 cannot be read")]
)
def test_what_is_no_video_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(content)
    with pytest.raises(DataError, match=message):
        whole(tmp_path / "film.mp4")


def test_a_damaged_frame_is_said_when_it_is_decoded(tmp_path: Path, write_film: Any) -> None:
    film = tmp_path / "film.mp4"
    write_film(film, 40, 10, (64, 64), "libx264", {"g": "1"})
    intact = whole(film)
    with av.open(str(film)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][20]
        at, size = packet.pos, packet.size
    content = bytearray(film.read_bytes())
    content[at : at + size] = bytes(size)
    film.write_bytes(content)
    decoder = open_decoder(intact, "pyav", 1)
    decoder.read([19])
    with pytest.raises(DataError, match=r"film.mp4"):
        decoder.read([20])


def test_torchcodec_that_is_not_there_is_said_and_auto_takes_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    assert choose_backend("auto") == "pyav"
    with pytest.raises(ComponentError, match=r"pip install 'ot-builtins\[torchcodec\]'"):
        choose_backend("torchcodec")
    with pytest.raises(DataError, match="video_backend is auto, pyav or torchcodec, not 'ffmpeg'"):
        choose_backend("ffmpeg")
