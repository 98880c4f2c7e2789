"""The nested dialect: training under `train`, data under `data.datamodule`, components as `{type, params}`."""

from __future__ import annotations

import re
from dataclasses import replace

from offline_trainer_core.config import MappingNode, SequenceNode
from offline_trainer_core.migrate.draft import Block, Entry, Made
from offline_trainer_core.migrate.pieces import Comments, Piece
from offline_trainer_core.migrate.training import LOOP, checkpoint, factory, put_run, put_trainer, resume
from offline_trainer_core.migrate.translation import Draft, made

__all__ = ["TRAIN", "translate_nested"]

_ROOT = ("plugins", "seed", "deterministic", "device", "model", "data", "train")
TRAIN = (
    "model_input", "trainer", "optimizer", "scheduler", "loss", "metrics", "callbacks", "loggers", *LOOP, "amp", "ema",
    "checkpoint",
)  # fmt: skip
_LISTS = {"metrics": "metric", "callbacks": "cb", "loggers": "log"}
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def translate_nested(draft: Draft, root: Piece, name: str) -> None:
    """Fill `draft` with what the old file says. `name` is that of the run."""
    found = draft.opened(root, ("schema_version", *_ROOT), dissolve=False)
    for key in ("model", "data", "train"):
        if key not in found:
            draft.refuse(
                "missing-section", root, f"the section '{key}' of this dialect is missing", fix=f"add {key}: ..."
            )
    if "plugins" in found:
        _plugins(draft, found["plugins"])
    for key in ("seed", "device", "deterministic"):
        if key in found:
            draft.into("run", Entry.of(found[key]), found[key])
    if "model" in found:
        _model(draft, found["model"])
    data = draft.opened(found["data"], ("datamodule",)) if "data" in found else {}
    if "datamodule" in data:
        draft.put(draft.spec(data["datamodule"], "data", "data"), data["datamodule"])
    elif "data" in found:
        draft.refuse("missing-key", found["data"], "'data' needs 'datamodule': {type, params}", at_key=True)
    if "train" in found:
        _train(draft, draft.opened(found["train"], TRAIN))
    put_run(draft, root, name)


def _plugins(draft: Draft, plugins: Piece) -> None:
    """Sort what was to be loaded: hook plugins of installed packages stay, modules are imports."""
    if not isinstance(plugins.node, SequenceNode):
        if not plugins.is_null:
            draft.refuse("wrong-type", plugins, "'plugins' takes a list of names")
        draft.homeless += plugins.comments.lines
        return
    hooks = {entry.key for entry in draft.registry.plugins}
    prefixes: dict[str, None] = {}
    for item in draft.parts(plugins):
        if not isinstance(item.value, str):
            draft.refuse("wrong-type", item, f"'{item.path}' takes the name of a module")
        elif item.value in hooks:
            draft.into("plugins", Entry.of(item), item)
        elif _MODULE.fullmatch(item.value):
            draft.into("imports", Entry.of(item), item)
            draft.note(item, f"'{item.value}' is taken for a module of local code, with register(registry)")
            prefixes[item.value.partition(".")[0]] = None
        else:
            draft.drop(item, "it is no module; the components of installed packages need no mention")
    if prefixes:
        draft.into("settings", made("allowed_import_prefixes", list(prefixes)))


def _model(draft: Draft, model: Piece) -> None:
    found = draft.opened(model, ("config_path", "config"), dissolve=False)
    if isinstance(model.node, MappingNode) and len(found) != 1:
        message = "'model' has one of 'config_path' and 'config'"
        draft.refuse("one-form", model, message, at_key=True, allowed="config_path, config")
    draft.put(Entry.of(model), model)


def _train(draft: Draft, train: dict[str, Piece]) -> None:
    if "loss" in train:
        draft.put(draft.spec(train["loss"], "loss"), train["loss"])
    if "model_input" in train:
        _io(draft, train["model_input"])
    put_trainer(draft, train.get("trainer"), {LOOP[key]: train[key] for key in LOOP if key in train})
    for key, kind, outer in (
        ("optimizer", "optim", ("param_groups",)),
        ("scheduler", "sched", ("interval", "frequency", "monitor")),
    ):
        if key in train:
            piece = train[key]
            draft.put(Entry.of(piece) if piece.is_null else factory(draft, piece, kind, outer), piece)
    for key, kind in _LISTS.items():
        for entry in draft.specs(train[key], kind) if key in train else ():
            draft.into(key, entry)
        if key in train and key in draft.sections:
            draft.moved.append((train[key].path, key))
    if "amp" in train:
        _amp(draft, train["amp"])
    if "ema" in train:
        _ema(draft, train["ema"])
    if "checkpoint" in train:
        _checkpoint(draft, train["checkpoint"])


def _io(draft: Draft, model_input: Piece) -> None:
    """Put `io.mapping` for what the model reads of a batch; what the loss compares with, if its arguments tell."""
    inner, outer = replace(model_input.comments, head=()), Comments(model_input.comments.head)
    value: Piece | Made = model_input
    key = "model_kwargs" if isinstance(model_input.node, MappingNode) else "model_args"
    if isinstance(model_input.value, str):
        value = Made([model_input.value])
    elif not isinstance(model_input.value, (list, dict)):
        message = "'train.model_input' takes a key of the batch, a list or a mapping of keys"
        draft.refuse("wrong-type", model_input, message)
        return
    entries = [made("_type_", "io.mapping"), Entry(key, value, inner, model_input.place)]
    target = _target(draft)
    if target is None:
        message = "this dialect does not say what the loss compares with; a loss that takes targets needs it"
        draft.note(model_input, message, "add targets: {name: path in the batch} to io")
    else:
        entries.append(target)
    draft.put(Entry("io", Block(entries), outer, model_input.place), model_input)


def _target(draft: Draft) -> Entry | None:
    """Return the targets, where the loss has a `target_path`: a place in the batch then, in the targets now."""
    loss = draft.sections.get("loss")
    arguments = loss.value.entries if loss is not None and isinstance(loss.value, Block) else []
    for argument in arguments:
        if argument.key == "target_path" and isinstance(argument.value, Piece):
            path = argument.value.value
            keys = path if isinstance(path, list) else str(path).split(".")
            name = str(keys[-1]) if keys else "target"
            if keys != [name]:
                argument.value = Made(name)
            draft.moved.append((f"train.loss.params.{argument.key}", f"io.targets.{name}"))
            return Entry("targets", Made({name: path}), place=argument.place)
    return None


def _amp(draft: Draft, amp: Piece) -> None:
    enabled = draft.flag(amp)
    draft.into("run", made("precision", "bf16-mixed" if enabled else "fp32", amp), amp)
    if enabled:
        draft.note(
            amp, "'amp' did not say which precision: it is bf16-mixed", "precision: fp16-mixed on GPUs without it"
        )


def _ema(draft: Draft, ema: Piece) -> None:
    if ema.is_null:
        draft.homeless += ema.comments.lines
        return
    found = draft.opened(ema, ("enabled", "decay"), dissolve=False)
    enabled = found.get("enabled")
    if enabled is not None and not draft.flag(enabled):
        draft.drop(ema, "it is switched off")
        return
    entries = [made("_type_", "cb.ema", enabled), *([Entry.of(found["decay"])] if "decay" in found else [])]
    draft.into("callbacks", Entry("", Block(entries, flow=not ema.span.is_block), ema.own, ema.place), ema)


def _checkpoint(draft: Draft, piece: Piece) -> None:
    found = draft.opened(piece, ("save_dir", "save_every_n_steps", "save_last", "resume_from"), dissolve=False)
    names = {"save_every_n_steps": "every_n_steps", "save_last": "save_last"}
    when = {new: found[old] for old, new in names.items() if old in found and not found[old].is_null}
    if isinstance(piece.node, MappingNode):
        checkpoint(draft, piece.own, when)
    for key in names.keys() & found.keys():
        if found[key].is_null:
            draft.drop(found[key], "it is null")
    if "save_dir" in found:
        draft.into("run", Entry.of(found["save_dir"], "out_dir"), found["save_dir"])
        draft.note(found["save_dir"], "every run has a folder below it, with checkpoints/ inside", "set run.name")
    if "resume_from" in found:
        resume(draft, found["resume_from"])
