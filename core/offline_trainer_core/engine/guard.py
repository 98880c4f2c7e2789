"""Finds infinite and NaN losses and gradients before the optimizer steps, in the pass that scales the gradients.

On a CPU the verdict is read at once. On an accelerator it stays there: a fused optimizer skips the step by itself, and
the verdicts are read at log cadence, so that no step waits for the host. The gradients of all processes are averaged
before they are looked at, so that every process comes to the same verdict without a word about it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from offline_trainer_core.engine.logs import LogWindow
from offline_trainer_core.errors import NonFiniteError

__all__ = ["Guard", "Inquiry", "Place", "Reaction"]

log = logging.getLogger(__name__)

Reaction = Literal["raise", "skip", "ignore"]

_UNREAD = 1000
"""Verdicts that may lie on a device: those of a run that logs less often are read in between."""
_IN_A_ROW = 100
"""Steps that may be left out one after another: a run that leaves out more is not going to learn."""


class Place(NamedTuple):
    """An optimizer step, and the last of the batches that it was made of."""

    step: int
    epoch: int
    batch: int
    batches: int = 1

    def __str__(self) -> str:
        first = self.batch - self.batches + 1
        span = f"batch {self.batch}" if self.batches == 1 else f"batches {first} to {self.batch}"
        return f"step {self.step} (epoch {self.epoch}, {span})"


class Inquiry(Protocol):
    """Looks into what happened at a step that was found bad; every process asks at the same time."""

    def __call__(self, place: Place, *, loss: float | None, ended: bool) -> str:
        """Return what a person should read. `loss` is given while the batch and the gradients of the step are still
        there; `ended` says that the run ends with it, so that the loader may be asked for the batch again.
        """


class Guard:
    """Scales gradients and decides whether an optimizer may step."""

    def __init__(
        self,
        reaction: Reaction,
        device: torch.device,
        *,
        where: Callable[[int], Place],
        inquire: Inquiry,
        window: LogWindow,
        deferred: bool | None = None,
    ) -> None:
        """`where(n)` is the place of a step made of the last `n` batches. `deferred` says whether verdicts stay on the
        device where the optimizer can act on them: by default on everything but a CPU.
        """
        self._reaction = reaction
        self._where, self._inquire, self._window = where, inquire, window
        self._deferred = device.type != "cpu" if deferred is None else deferred
        self._one = torch.ones((), device=device)
        self._bad = torch.zeros((), device=device)
        self._inverses = {1: self._one}
        self._unread: list[tuple[Place, Tensor]] = []
        self._in_a_row = 0
        self._said = False

    def state_dict(self) -> dict[str, int]:
        return {"skipped_in_a_row": self._in_a_row}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self._in_a_row = state["skipped_in_a_row"]

    def pass_gradients(self, gradients: list[Tensor], loss: Tensor, divisor: int, optimizer: Optimizer) -> bool:
        """Divide `gradients`, those of `divisor` batches, by their number; return whether to call the optimizer.

        `loss` is that of the last batch.
        """
        if self._reaction == "ignore":
            if divisor != 1:
                torch._foreach_div_(gradients, divisor)
            return True
        if self._reaction == "skip":
            self._bad = torch.zeros_like(self._bad)
        self._scale(gradients, loss.data, divisor)  # `.data` is written without autograd's notice
        if self._reaction == "skip":
            self._window.add({"skipped": self._bad})
        if self._deferred and getattr(optimizer, "_step_supports_amp_scaling", False):
            return self._defer(self._where(divisor), optimizer)
        return self._judge(loss, divisor)

    def _scale(self, gradients: list[Tensor], loss: Tensor, divisor: int) -> None:
        check = torch._amp_foreach_non_finite_check_and_unscale_
        inverse = self._inverses.get(divisor)
        if inverse is None:
            inverse = self._inverses[divisor] = self._one / divisor
        if divisor == 1 and gradients and loss.dtype is gradients[0].dtype:
            check([*gradients, loss], self._bad, inverse)
            return
        check([loss], self._bad, self._one)
        if gradients:
            check(gradients, self._bad, inverse)

    def _defer(self, place: Place, optimizer: Optimizer) -> bool:
        optimizer.grad_scale, optimizer.found_inf = None, self._bad  # type: ignore[attr-defined]
        # Under `raise` the verdict stays: no optimizer steps after the first bad step, until it is read.
        self._unread.append((place, self._bad if self._reaction == "skip" else self._bad.clone()))
        if len(self._unread) >= _UNREAD:
            self.read()
        return True

    def _judge(self, loss: Tensor, divisor: int) -> bool:
        if self._bad.item() == 0:
            self._in_a_row = 0
            return True
        self._react(self._where(divisor), loss.item())
        return False

    def read(self) -> None:
        """Look at what the device found since the last call; raises `NonFiniteError` under `raise`."""
        if not self._unread:
            return
        unread, self._unread = self._unread, []
        for (place, _), bad in zip(unread, torch.stack([verdict for _, verdict in unread]).tolist(), strict=True):
            if bad:
                self._react(place, None)
            else:
                self._in_a_row = 0

    def _react(self, place: Place, loss: float | None) -> None:
        self._in_a_row += 1
        ended = self._reaction == "raise" or self._in_a_row > _IN_A_ROW
        if ended:
            skipped = f"\n  the {_IN_A_ROW} steps before it were left out too" if self._reaction == "skip" else ""
            raise NonFiniteError(self._inquire(place, loss=loss, ended=True) + skipped)
        if not self._said:
            self._said = True
            log.warning("%s", self._inquire(place, loss=loss, ended=False))
