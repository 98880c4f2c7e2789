"""Decoders of one video file: frames by their number, exactly those, whatever was read before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from offline_trainer_core.errors import ComponentError, DataError
from ot_builtins.data.lerobot.videos import Clip
from ot_builtins.data.storage.storage import reading
from ot_builtins.extras import import_extra

__all__ = ["Backend", "Decoder", "choose_backend", "open_decoder", "resized"]

Backend = Literal["pyav", "torchcodec"]


class Decoder(Protocol):
    """An opened video."""

    def read(self, frames: Sequence[int]) -> Tensor:
        """Return the frames with these numbers, which increase, as uint8 `(n, H, W, 3)`.

        Raises `DataError` for a frame that cannot be decoded.
        """


def choose_backend(wanted: str) -> Backend:
    """Return the backend to decode with: for `auto`, torchcodec where it can be loaded, else PyAV.

    Raises `ComponentError` where torchcodec is asked for and cannot be loaded.
    """
    if wanted not in ("auto", "pyav", "torchcodec"):
        raise DataError(f"data.lerobot: video_backend is auto, pyav or torchcodec, not '{wanted}'")
    if wanted == "pyav":
        return "pyav"
    try:
        import_extra("torchcodec.decoders", "torchcodec", "data.video_backend: torchcodec")
    except (ComponentError, OSError, RuntimeError) as error:
        if wanted == "auto":
            return "pyav"
        if isinstance(error, ComponentError):
            raise
        raise ComponentError(
            "data.video_backend: torchcodec is installed and cannot be loaded, as a rule because it finds no libraries "
            "of FFmpeg; install FFmpeg, or set video_backend: pyav, which brings its own"
        ) from error
    return "torchcodec"


def open_decoder(clip: Clip, backend: Backend, threads: int) -> Decoder:
    """Open a video; `threads` are those that decode it, 0 for as many as the decoder likes."""
    return PyavDecoder(clip, threads) if backend == "pyav" else TorchcodecDecoder(clip, threads)


def resized(frames: Tensor, size: tuple[int, ...] | None) -> Tensor:
    """Return frames `(n, H, W, 3)` in another size: bilinear with antialiasing, as a camera with fewer pixels sees."""
    if size is None or tuple(frames.shape[1:3]) == size:
        return frames
    small = interpolate(frames.permute(0, 3, 1, 2), list(size), mode="bilinear", antialias=True, align_corners=False)
    return small.permute(0, 2, 3, 1).contiguous()


class PyavDecoder:
    """Decodes with PyAV. It reads on where that is the shortest way, else it begins at the key frame before."""

    _container: Any
    _stream: Any
    _shown: Iterator[Any]
    _next: int
    """The number of the frame that `_shown` gives next."""

    def __init__(self, clip: Clip, threads: int) -> None:
        self._av = import_extra("av", "video", f"reading {clip.path}")
        self._clip, self._threads = clip, threads
        with reading(str(clip.path)):
            self._begin()

    def read(self, frames: Sequence[int]) -> Tensor:
        with reading(str(self._clip.path)):
            return torch.from_numpy(np.stack([self._frame(number) for number in frames]))

    def _frame(self, number: int) -> Any:
        keys = self._clip.keys
        key = int(keys[np.searchsorted(keys, number, side="right") - 1])
        if not key <= self._next <= number:
            self._container.seek(int(self._clip.pts[key]), stream=self._stream)
            self._shown = self._container.decode(self._stream)
        found = self._search(number)
        if found is None:
            self._begin()  # a file whose index misleads is read from its begin
            found = self._search(number)
        if found is None:
            raise DataError(f"{self._clip.path}: frame {number} cannot be decoded: the video is damaged")
        self._next = number + 1
        return found.to_ndarray(format="rgb24")

    def _search(self, number: int) -> Any:
        wanted = int(self._clip.pts[number])
        for frame in self._shown:
            if frame.pts is not None and frame.pts >= wanted:
                return frame if frame.pts == wanted else None
        return None

    def _begin(self) -> None:
        self._container = self._av.open(str(self._clip.path))
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = self._threads
        self._shown = self._container.decode(self._stream)
        self._next = 0


class TorchcodecDecoder:
    """Decodes with torchcodec. Its numbers of frames are those of a clip, and each frame's time is compared."""

    def __init__(self, clip: Clip, threads: int) -> None:
        decoders = import_extra("torchcodec.decoders", "torchcodec", f"reading {clip.path}")
        self._clip = clip
        with reading(str(clip.path)):
            self._decoder = decoders.VideoDecoder(
                str(clip.path), dimension_order="NHWC", seek_mode="exact", num_ffmpeg_threads=threads
            )

    def read(self, frames: Sequence[int]) -> Tensor:
        clip = self._clip
        with reading(str(clip.path)):
            batch = self._decoder.get_frames_at(list(frames))
        off = np.abs(batch.pts_seconds.numpy() - clip.pts[list(frames)] * clip.time_base)
        if off.max() > clip.time_base / 2:
            raise DataError(f"{clip.path}: frame {frames[int(off.argmax())]} cannot be decoded: the video is damaged")
        frames_read: Tensor = batch.data
        return frames_read
