"""Films of episodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ot_builtins.extras import import_extra

__all__ = ["Film"]


class Film:
    """Writes frames `(H, W, 3)` uint8 to an H.264 mp4 file while the episode goes on; memory holds one frame."""

    def __init__(self, path: Path, fps: int) -> None:
        av = import_extra("av", "video", "a video of episodes")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._frame = av.VideoFrame
        self._container = av.open(str(path), "w")
        self._stream: Any = self._container.add_stream("libx264", rate=fps)
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"preset": "veryfast"}
        self._sized = False

    def add(self, frame: np.ndarray) -> None:
        """Append one frame; an odd last row or column is cut off, as the format wants even sizes."""
        height, width = (size - size % 2 for size in frame.shape[:2])
        if not self._sized:
            self._stream.height, self._stream.width, self._sized = height, width, True
        image = self._frame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
        self._container.mux(self._stream.encode(image))

    def close(self) -> None:
        """Write what the encoder still holds, and the index of the file."""
        if self._sized:
            self._container.mux(self._stream.encode(None))
        self._container.close()
