"""What both dialects say of training, in today's words: the loop, optimizers, schedules, checkpoints, the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from offline_trainer_core.migrate.draft import Block, Entry, Made
from offline_trainer_core.migrate.pieces import Comments, Piece
from offline_trainer_core.migrate.translation import Draft, made

__all__ = ["LOOP", "checkpoint", "factory", "put_run", "put_trainer", "resume"]

LOOP = {
    "max_epochs": "max_epochs",
    "max_steps": "max_steps",
    "accumulate_grad_batches": "grad_accum_steps",
    "gradient_clip_val": "grad_clip_norm",
    "log_every_n_steps": "log_every_n_steps",
}
"""What the loop took beside `trainer`, and the argument of `trainer.default` that it is now."""

_NO_LIMIT = ("max_epochs", "max_steps", "grad_clip_norm")
_MODULES = {"optim_cls": "torch.optim.", "sched_cls": "torch.optim.lr_scheduler."}


def put_trainer(draft: Draft, trainer: Piece | None, loop: Mapping[str, Piece]) -> None:
    """Put the section `trainer`: the spec with what stood beside it. `loop` has today's names."""
    entry = made("trainer", None)
    entry.value = Block([made("_type_", "trainer.default")])
    if trainer is not None and not trainer.is_null:
        entry = draft.spec(trainer, "trainer")
        draft.moved.append((trainer.path, "trainer"))
    draft.sections["trainer"] = entry
    block = draft.block("trainer")
    if _names_the_default(block):
        for argument in block.entries:
            argument.key = LOOP.get(argument.key, argument.key)
    given = {argument.key for argument in block.entries}
    for name, piece in loop.items():
        if name in given:
            message = f"'{piece.path}' is given twice: here and in the parameters of the trainer"
            draft.refuse("duplicate-argument", piece, message, at_key=True)
        elif name in _NO_LIMIT and isinstance(piece.value, (int, float)) and piece.value <= 0:
            draft.drop(piece, "it means 'no limit', and so does its absence")
        else:
            draft.into("trainer", Entry.of(piece, name), piece)
            block.flow = False


def _names_the_default(block: Block) -> bool:
    return any(isinstance(entry.value, Made) and entry.value.value == "trainer.default" for entry in block.entries)


def factory(draft: Draft, piece: Piece, kind: str, outer: tuple[str, ...] = ()) -> Entry:
    """Return an optimizer or a scheduler `{type, params}` as the spec of torch's factory.

    `kind` is `optim` or `sched`; parameters that are named in `outer` are the factory's own.
    """
    type_, params = draft.type_and_params(piece)
    if type_ is None or type_.value.startswith(f"{kind}_factory."):
        return draft.spec(piece, f"{kind}_factory") if type_ is not None else Entry.of(piece)
    cls = type_.value.removeprefix(f"{kind}_cls.").removeprefix(_MODULES[f"{kind}_cls"])
    inner = replace(type_, comments=Comments()) if type_ is piece else type_
    block = Block([made("_type_", f"{kind}_factory.torch"), made("type", cls, inner)], flow=not piece.span.is_block)
    if params is not None:
        children = params.children()
        arguments = Block(
            [Entry.of(child) for child in children if child.key not in outer], flow=not params.span.is_block
        )
        if arguments.entries:
            block.entries.append(Entry("kwargs", arguments, params.own, params.place))
        else:
            draft.homeless += params.own.lines
        block.entries += [Entry.of(child) for child in children if child.key in outer]
    return Entry(piece.key, block, piece.own, piece.place)


def checkpoint(draft: Draft, owner: Comments, when: Mapping[str, Piece]) -> None:
    """Add the callback that saves, if the old file says when; `when` has today's names."""
    if not when:
        draft.homeless += owner.lines
        return
    block = Block([made("_type_", "cb.model_checkpoint"), *(Entry.of(piece, name) for name, piece in when.items())])
    first = next(iter(when.values()))
    draft.into("callbacks", Entry("", block, owner, first.place))
    place = f"callbacks[{len(draft.block('callbacks').entries) - 1}]"
    draft.moved += [(piece.path, f"{place}.{name}") for name, piece in when.items()]


def resume(draft: Draft, piece: Piece) -> None:
    """Set the checkpoint to go on from."""
    draft.into("run", Entry.of(piece, "resume_from"), piece)
    if not piece.is_null:
        message = "checkpoints that were not written by this version cannot be resumed"
        draft.note(piece, message, "resume_from: null, or start from its weights: model.components.<name>.weights")


def put_run(draft: Draft, root: Piece, name: str) -> None:
    """Complete the section `run`: what it must have and the old file did not say."""
    entries = {entry.key: entry for entry in draft.block("run").entries}
    for key, value in (("name", name), ("out_dir", "runs")):
        if key not in entries:
            entries[key] = Entry(key, Made(value))
            draft.note(root, f"this dialect has no word for run.{key}: it is '{value}'", f"set run.{key}")
    order = ("name", "out_dir", "seed", "device", "precision", "deterministic", "resume_from", "strategy")
    draft.block("run").entries = [entries[key] for key in order if key in entries]
