"""Finds out about a step whose loss or gradient is infinite or NaN: which samples, which fields, which weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from offline_trainer_core.engine.batches import batch_size_of, epoch_batches
from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.guard import Place
from offline_trainer_core.nest import leaves

__all__ = ["Inquest"]

_SHOWN = 4
"""Samples, fields and parameters that a message names."""

Sample = Mapping[str, Any]


@dataclass(frozen=True)
class BadField:
    """A field of a batch that holds infinite or NaN numbers."""

    name: str
    kind: str
    samples: list[Sample]
    """Those in which it does."""
    of: int
    """Samples of the batch."""
    first: list[int]
    """Index of the first such number in the first of them."""


@dataclass
class Finding:
    """What one process found out about its share of a step."""

    rank: int
    step: int
    epoch: int
    batch: int
    loss: float | None = None
    recomputed: bool = False
    """Whether loss and gradients are of a second look at the batch, with the weights that the step had."""
    fields: list[BadField] = field(default_factory=list)
    gradients: list[str] = field(default_factory=list)
    """Parameters whose gradient is infinite or NaN."""
    weights: list[str] = field(default_factory=list)
    """Parameters that were infinite or NaN themselves."""
    parameters: int = 0
    samples: list[Sample] = field(default_factory=list)
    """Those of the batch, in order."""
    file: str = ""
    """Where the batch was written to, or why it was not."""


class Inquest:
    """Examines the batches of a bad step on every process, and says in one message what all of them found."""

    def __init__(
        self,
        context: RunContext,
        loader: Any,
        move: Callable[[Any], Any],
        differentiate: Callable[[Any], Mapping[str, Any]],
    ) -> None:
        """`differentiate(batch)` leaves the gradients of a batch on the parameters, without a step, and returns what
        the update logs.
        """
        self._context, self._loader, self._move, self._differentiate = context, loader, move, differentiate
        self.batch: Any = None
        """The batch that is being trained on, as it was loaded."""
        self.folder: Path | None = None
        """Where bad batches are written, if they are."""

    def __call__(self, place: Place, *, loss: float | None, ended: bool) -> str:
        """Return the report. See `guard.Inquiry`."""
        collectives = self._context.collectives
        at_hand = loss is not None
        finding, batch = self._examine(place, at_hand, ended)
        finding.loss = loss
        in_data = collectives.any(bool(finding.fields))
        if not at_hand and ended and not in_data:
            finding.loss = _number(self._differentiate(batch).get("loss")) if batch is not None else None
            at_hand = finding.recomputed = True
        if at_hand:
            finding.gradients, finding.weights, finding.parameters = self._parameters()
        if ended and self.folder is not None and batch is not None and bool(finding.fields) == in_data:
            finding.file = _keep(finding, batch, self.folder, self._context.run.world_size)
        everyone = collectives.gather_object(finding)
        text: str = collectives.broadcast_object(self._compose(place, everyone) if everyone is not None else None)
        return text

    def _examine(self, place: Place, at_hand: bool, ended: bool) -> tuple[Finding, Any]:
        """Look at the batches of the step, as far as they can be had; return what was found and the batch it is in."""
        batch, number = None, place.batch
        for number, batch in self._batches(place, at_hand, ended):
            samples = self._samples(place.epoch, number, batch)
            fields = list(_bad_fields(batch, samples))
            if fields:
                return self._finding(place, number, fields, samples), batch
        return self._finding(place, number, [], self._samples(place.epoch, number, batch)), batch

    def _finding(self, place: Place, batch: int, fields: list[BadField], samples: list[Sample]) -> Finding:
        return Finding(self._context.run.rank, place.step, place.epoch, batch, fields=fields, samples=samples)

    def _batches(self, place: Place, at_hand: bool, ended: bool) -> Iterator[tuple[int, Any]]:
        first = place.batch if at_hand else place.batch + 1
        if ended and hasattr(self._loader, "set_epoch"):
            again = epoch_batches(self._loader, place.epoch, place.batch - place.batches + 1)
            for number in range(place.batch - place.batches + 1, first):
                yield number, self._move(next(again)[0])
        if at_hand:
            yield place.batch, self.batch

    def _samples(self, epoch: int, number: int, batch: Any) -> list[Sample]:
        if hasattr(self._loader, "samples"):
            return list(self._loader.samples(epoch, number))
        return [] if batch is None else [{"row": row} for row in range(batch_size_of(batch))]

    def _parameters(self) -> tuple[list[str], list[str], int]:
        named = [
            (f"{model}.{name}", parameter)
            for model, module in self._context.models.items()
            for name, parameter in module.named_parameters()
        ]
        gradients = [name for name, p in named if p.grad is not None and not bool(p.grad.isfinite().all())]
        weights = [name for name, p in named if not bool(p.isfinite().all())]
        return gradients, weights, len(named)

    def _compose(self, place: Place, everyone: Sequence[Finding]) -> str:
        lines = [f"the loss or a gradient became infinite or NaN at {place}; the optimizer has not stepped on it"]
        bad = [finding for finding in everyone if finding.fields]
        for finding in (bad or everyone)[:_SHOWN]:
            who = f"process {finding.rank}: " if len(everyone) > 1 else ""
            lines += [who + line for line in (_about_data(finding) if bad else _about_numbers(finding))]
        if not bad:
            lines += self._before()
        lines.append(_MEND_DATA if bad else _MEND_NUMBERS)
        return "\n  ".join(lines)

    def _before(self) -> Iterator[str]:
        logs = {name: value for name, value in self._context.last_train_logs.items() if math.isfinite(value)}
        if logs:
            yield "logged last: " + ", ".join(f"{name} {value:.4g}" for name, value in list(logs.items())[:_SHOWN])


_MEND_DATA = "mend these samples, leave them out, or choose trainer.on_nonfinite: skip"
_MEND_NUMBERS = (
    "lower the learning rate, set trainer.grad_clip_norm, look at these samples, or choose trainer.on_nonfinite: skip"
)


def _about_data(finding: Finding) -> Iterator[str]:
    for bad in finding.fields[:_SHOWN]:
        where = f", at {bad.first} of the first" if bad.first else ""
        yield f"{bad.name} is {bad.kind} in {len(bad.samples)} of {bad.of} samples: {_named(bad.samples)}{where}"
    yield from _kept(finding)


def _about_numbers(finding: Finding) -> Iterator[str]:
    if finding.loss is not None:
        when = "computed again, its loss is" if finding.recomputed else "its loss was"
        yield f"its batch holds finite numbers only, and {when} {finding.loss:.4g}"
    if finding.weights:
        yield f"weights that are not finite themselves: {_counted(finding.weights, finding.parameters)}"
    if finding.gradients:
        yield f"gradients that are not finite: {_counted(finding.gradients, finding.parameters)}"
    if finding.samples:
        yield f"its samples: {_named(finding.samples)}"
    yield from _kept(finding)


def _kept(finding: Finding) -> Iterator[str]:
    if finding.file:
        yield f"the batch and the list of its samples: {finding.file}"


def _named(samples: Sequence[Sample]) -> str:
    names = []
    for sample in samples[:_SHOWN]:
        first, *rest = (f"{kind} {number}" for kind, number in sample.items())
        names.append(f"{first} ({', '.join(rest)})" if rest else first)
    return ", ".join(names) + (f" and {len(samples) - _SHOWN} more" if len(samples) > _SHOWN else "")


def _counted(names: Sequence[str], total: int) -> str:
    return f"{', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''} ({len(names)} of {total})"


def _number(value: Any) -> float | None:
    return value.item() if isinstance(value, Tensor) else value


def _bad_fields(batch: Any, samples: Sequence[Sample]) -> Iterator[BadField]:
    for path, leaf in leaves(batch):
        if not isinstance(leaf, Tensor) or not (leaf.is_floating_point() or leaf.is_complex()) or not leaf.ndim:
            continue
        finite = leaf.isfinite().reshape(len(leaf), -1).all(dim=1)
        if finite.all():
            continue
        rows = (~finite).nonzero().flatten().tolist()
        kinds = {"NaN": leaf.isnan().any(), "infinite": leaf.isinf().any()}
        yield BadField(
            ".".join(map(str, path)) or "the batch",
            " and ".join(kind for kind, found in kinds.items() if found),
            [samples[row] if len(samples) == len(leaf) else {"row": row} for row in rows],
            len(leaf),
            (~leaf[rows[0]].isfinite()).nonzero()[0].tolist() if leaf.ndim > 1 else [],
        )


def _keep(finding: Finding, batch: Any, folder: Path, world_size: int) -> str:
    """Write the batch, as it was loaded, and the finding beside it; return the path, or why it could not be."""
    from safetensors.torch import save_file

    tensors = {".".join(map(str, path)): leaf for path, leaf in leaves(batch) if isinstance(leaf, torch.Tensor)}
    file = folder / f"step_{finding.step:08d}{f'_rank{finding.rank}' if world_size > 1 else ''}.safetensors"
    try:
        folder.mkdir(exist_ok=True)
        save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, file)
        file.with_suffix(".json").write_text(json.dumps(asdict(finding), indent=1) + "\n", encoding="utf-8")
    except Exception as error:  # the report matters more, and a full disk may be what is wrong
        return f"could not be written: {error}"
    return str(file)
