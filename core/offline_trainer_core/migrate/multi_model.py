"""The dialect of several models: their files under `model.component_config_paths`, what is done with them by name."""

from __future__ import annotations

from offline_trainer_core.catalogue import Registry
from offline_trainer_core.config import MappingNode
from offline_trainer_core.migrate.draft import Block, Entry, Made
from offline_trainer_core.migrate.pieces import Comments, Piece
from offline_trainer_core.migrate.training import checkpoint, factory, put_run, put_trainer, resume
from offline_trainer_core.migrate.translation import Draft, made
from offline_trainer_core.plan.reading import component_signature
from offline_trainer_core.spelling import listing, nearest

__all__ = ["translate_multi_model"]

_MODEL = ("component_config_paths", "component_build_args", "component_optims", "find_unused_parameters")
_LOADER = ("batch_size", "num_workers", "pin_memory", "persistent_workers", "prefetch_factor")
_TRAIN = ("project_name", "epoch", "save_every", "save_dir", "load_dir", "seed", "trainer", "loss")


def translate_multi_model(draft: Draft, root: Piece, name: str) -> None:
    """Fill `draft` with what the old file says. `name` is that of the run, if the file does not say it."""
    found = draft.opened(root, ("schema_version", "model", "data", "train"), dissolve=False)
    for key in ("data", "train"):
        if key not in found:
            draft.refuse(
                "missing-section", root, f"the section '{key}' of this dialect is missing", fix=f"add {key}: ..."
            )
    _model(draft, found["model"])
    if "data" in found:
        _data(draft, found["data"])
    if "train" in found:
        _train(draft, draft.opened(found["train"], _TRAIN))
    draft.sections["io"] = Entry("io", Block([made("_type_", "io.mapping")], flow=True))
    message = "this dialect does not say what each model reads of a batch, or what one update of several models is"
    draft.note(
        found["model"],
        message,
        "complete io: {model_kwargs, targets}, or name what updates them: algorithm: {_type_: ...}",
    )
    put_run(draft, root, name)


def _model(draft: Draft, model: Piece) -> None:
    found = draft.opened(model, _MODEL, dissolve=False)
    paths = found["component_config_paths"]
    models: dict[str, Block] = {}
    components = Block()
    for child in draft.opened(paths, _names(paths), dissolve=False).values():
        if not isinstance(child.value, str):
            draft.refuse("wrong-type", child, f"'{child.path}' takes the path of a model file")
        models[child.key] = Block(
            [Entry("config_path", child, Comments(after=child.comments.after), child.place)], flow=True
        )
        outside = Comments(child.comments.head, tail=child.comments.tail)
        components.add(child.key, models[child.key], outside, child.place)
        draft.moved.append((child.path, f"model.components.{child.key}.config_path"))
    if not models:
        draft.refuse("wrong-type", paths, f"'{paths.path}' takes a mapping from names to model files")
    block = Block([Entry("components", components, paths.own, paths.place)])
    draft.sections["model"] = Entry("model", block, model.own, model.place)
    if "component_build_args" in found:
        _build_args(draft, found["component_build_args"], models)
    if "component_optims" in found:
        _optimizers(draft, found["component_optims"], models)
    if "find_unused_parameters" in found:
        _strategy(draft, found["find_unused_parameters"])


def _names(piece: Piece) -> list[str]:
    return list(piece.node.items) if isinstance(piece.node, MappingNode) else []


def _build_args(draft: Draft, piece: Piece, models: dict[str, Block]) -> None:
    for child in _of_components(draft, piece, models):
        for argument in draft.opened(child, ("init", "freeze")).values():
            models[child.key].entries.append(Entry.of(argument))
            draft.moved.append((argument.path, f"model.components.{child.key}.{argument.key}"))


def _optimizers(draft: Draft, piece: Piece, models: dict[str, Block]) -> None:
    block = Block()
    for child in _of_components(draft, piece, models, dissolve=False):
        block.entries.append(factory(draft, child, "optim", ("param_groups",)))
        draft.moved.append((child.path, f"optimizer.{child.key}"))
    draft.sections["optimizer"] = Entry("optimizer", block, piece.own, piece.place)


def _of_components(draft: Draft, piece: Piece, models: dict[str, Block], *, dissolve: bool = True) -> list[Piece]:
    """Return what a mapping holds for each component; report names that are none."""
    found = draft.opened(piece, _names(piece), dissolve=dissolve)
    for name, child in found.items():
        if name not in models:
            message = f"there is no model component '{name}'"
            meant, allowed = nearest(name, models), listing(models)
            draft.refuse("unknown-model-component", child, message, at_key=True, suggestion=meant, allowed=allowed)
    return [child for name, child in found.items() if name in models]


def _strategy(draft: Draft, piece: Piece) -> None:
    if not draft.flag(piece):
        draft.drop(piece, "false is the default of strategy.ddp, which several processes use")
        return
    strategy = Block([made("_type_", "strategy.ddp"), Entry.of(piece)])
    draft.into("run", Entry("strategy", strategy, place=piece.place), piece)


def _data(draft: Draft, data: Piece) -> None:
    found = draft.opened(data, ("datamodule", *_LOADER), dissolve=False)
    if "datamodule" not in found:
        draft.refuse("missing-key", data, "'data' needs 'datamodule': the name of a component", at_key=True)
        return
    piece = found["datamodule"]
    entry = draft.spec(piece, "data", "data")
    entry.comments = entry.comments.under(data.own)
    draft.put(entry, piece)
    _loader(draft, [found[key] for key in _LOADER if key in found])


def _loader(draft: Draft, options: list[Piece]) -> None:
    """Give the data component what stood beside it, if it takes that."""
    block = draft.block("data")
    arguments = {argument.key: argument.value for argument in block.entries}
    type_ = arguments.get("_type_")
    key = str(type_.value) if isinstance(type_, Made) else ""
    for option in options:
        if option.key in arguments:
            message = f"'{option.path}' is given twice: here and in the parameters of the data"
            draft.refuse("duplicate-argument", option, message, at_key=True)
        elif _lacks(draft.registry, key, option.key):
            draft.drop(option, f"{key} has no such argument")
        else:
            draft.into("data", Entry.of(option), option)
            block.flow = False


def _train(draft: Draft, train: dict[str, Piece]) -> None:
    for old, new in (("project_name", "name"), ("save_dir", "out_dir"), ("seed", "seed")):
        if old in train:
            draft.into("run", Entry.of(train[old], new), train[old])
    if "loss" in train:
        draft.put(draft.spec(train["loss"], "loss"), train["loss"])
    put_trainer(draft, train.get("trainer"), {"max_epochs": train["epoch"]} if "epoch" in train else {})
    every = train.get("save_every")
    if every is not None and (every.is_null or every.value == 0):
        draft.drop(every, "it means 'never': only the last state is saved")
    elif every is not None:
        checkpoint(draft, Comments(), {"every_n_epochs": every})
    if "load_dir" in train:
        resume(draft, train["load_dir"])


def _lacks(registry: Registry, key: str, argument: str) -> bool:
    """Whether it is known that the component takes no such argument."""
    found = registry.candidates(key)
    signature = component_signature(found[0], ()) if len(found) == 1 else None
    return signature is not None and not signature.accepts_any and argument not in signature.names
