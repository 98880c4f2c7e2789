"""The frames of one camera over all episodes, read as if they were one tensor."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ot_builtins.data.lerobot.decoding import Backend, Decoder, open_decoder, resized
from ot_builtins.data.lerobot.videos import Clip

__all__ = ["Footage", "VideoFrames"]

_OPEN = 8
"""Videos that one process keeps open per camera."""
_READ_TOGETHER = 32
"""Frames that are decoded before they are put away."""


@dataclass(frozen=True)
class Footage:
    """The clips of one camera, end to end, and how they are decoded."""

    clips: Sequence[Clip]
    size: tuple[int, ...] | None
    backend: Backend

    @property
    def shape(self) -> torch.Size:
        """`(N, H, W, 3)` of all rows."""
        height, width = self.size or (self.clips[0].height, self.clips[0].width)
        return torch.Size((sum(len(clip.frames) for clip in self.clips), height, width, 3))

    def decode(self) -> Iterator[Tensor]:
        """Yield all rows in order, some at a time."""
        try:
            for clip in self.clips:
                yield from self._decode(clip)
        finally:
            # What is left of a decoder with threads must not be freed in a worker that is forked later: those threads
            # are not there, and it would wait for them forever.
            gc.collect()

    def _decode(self, clip: Clip) -> Iterator[Tensor]:
        decoder = open_decoder(clip, self.backend, threads=0)
        for start in range(0, len(clip.frames), _READ_TOGETHER):
            yield self.read(decoder, clip.frames[start : start + _READ_TOGETHER])

    def read(self, decoder: Decoder, frames: Any) -> Tensor:
        """Return these frames `(n,)` of one clip, in any order and as often as they are named."""
        numbers, places = np.unique(frames, return_inverse=True)
        read = resized(decoder.read(numbers.tolist()), self.size)
        in_order = len(numbers) == len(frames) and (np.diff(places) > 0).all()
        return read if in_order else read.index_select(0, torch.from_numpy(places))


class VideoFrames:
    """Frames that are decoded when they are asked for, with a bounded number of open videos."""

    def __init__(self, footage: Footage) -> None:
        self.shape = footage.shape
        self._footage = footage
        self._ends = np.cumsum([len(clip.frames) for clip in footage.clips])
        self._open: OrderedDict[int, Decoder] = OrderedDict()

    def element_size(self) -> int:
        return 1

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Return the rows with these numbers `(M,)`; every video is opened once for all that are in it."""
        rows = index.numpy()
        episodes = np.searchsorted(self._ends, rows, side="right")
        found = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        for episode in np.unique(episodes):
            clip = self._footage.clips[episode]
            places = np.flatnonzero(episodes == episode)
            frames = clip.frames[rows[places] - self._ends[episode] + len(clip.frames)]
            found[places] = self._footage.read(self._decoder(int(episode)), frames).numpy()
        return torch.from_numpy(found)

    def _decoder(self, episode: int) -> Decoder:
        if episode not in self._open:
            while len(self._open) >= _OPEN:
                self._open.popitem(last=False)
            self._open[episode] = open_decoder(self._footage.clips[episode], self._footage.backend, threads=1)
        self._open.move_to_end(episode)
        return self._open[episode]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open videos behind: every process opens its own."""
        return {**self.__dict__, "_open": OrderedDict()}
