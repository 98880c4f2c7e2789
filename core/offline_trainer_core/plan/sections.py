"""The top level of an experiment as a table: every key, its form, the kinds and types that may stand there."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

__all__ = ["MODEL_FORMS", "MODEL_OPTIONS", "RUN", "SECTIONS", "SETTINGS", "Effect", "Field", "Section", "is_free"]

Effect = Literal["none", "rounding", "training"]
"""What a change does to a run that is resumed: nothing to a bit of what is trained, other rounding, or another
training. What is not known is `training`."""


class Field(NamedTuple):
    """One key of a mapping of plain values: the type that it takes, what it is for, what holds where it is absent."""

    annotation: str
    description: str
    default: Any = None
    required: bool = False
    effect: Effect = "training"


class Section(NamedTuple):
    """One key of the top level.

    `form`: `spec`; `specs`, a list of them; `named`, a spec or a mapping from names to specs; `model`; `values`, plain
    data of the type `annotation`; `fields`, a mapping with its own table.
    """

    description: str
    form: Literal["spec", "specs", "named", "model", "values", "fields"]
    kinds: tuple[str, ...] = ()
    annotation: str = ""
    required: bool = False
    implied: str | None = None
    """The component that takes part where the section is absent."""
    default: Any = None
    """What holds where a section of values is absent."""
    effect: Effect = "training"


SECTIONS: dict[str, Section] = {
    "schema_version": Section(
        "The version of this language.", "values", annotation="Literal[1]", default=1, effect="none"
    ),
    "settings": Section("How strictly names are taken, and which code may be named.", "fields", effect="none"),
    "imports": Section(
        "Local modules whose `register(registry)` adds components.", "values", annotation="list[str]", effect="none"
    ),
    "plugins": Section("Installed hook plugins that take part in this run.", "values", annotation="list[str]"),
    "params": Section("Values to interpolate from: `${params.name}`.", "values", effect="none"),
    "run": Section("Name, place, seed and device of the run.", "fields", required=True),
    "model": Section("The network, or several under `components`.", "model", ("model", "nn", "block"), required=True),
    "data": Section("What produces batches, and their statistics.", "spec", ("data",)),
    "normalize": Section(
        "How fields of a batch are normalized: `mean_std`, `min_max`, `none`, or the field whose statistics to use.",
        "values",
        annotation="dict[str, str] | None",
    ),
    "relative": Section(
        "Fields that are learned as differences from the present value of another: `action: state[0:7]`.",
        "values",
        annotation="dict[str, str] | None",
    ),
    "io": Section("What splits a batch into the model's inputs and targets.", "spec", ("io",)),
    "loss": Section("What compares the model's outputs with the targets.", "spec", ("loss",)),
    "algorithm": Section("What one update computes and steps.", "spec", ("algo",), implied="algo.supervised"),
    "trainer": Section(
        "When to train, validate, log and stop: the loop.", "spec", ("trainer",), implied="trainer.default"
    ),
    "optimizer": Section("The optimizer, or one for each model component.", "named", ("optim_factory",)),
    "scheduler": Section("The learning rate schedule, or one for each optimizer.", "named", ("sched_factory",)),
    "metrics": Section("What is measured on batches beside the loss.", "specs", ("metric",), effect="none"),
    "callbacks": Section("What acts at moments of the run: checkpoints, progress, averages.", "specs", ("cb",)),
    "loggers": Section("Where hyperparameters and metrics go beside the run folder.", "specs", ("log",), effect="none"),
    "eval": Section("Evaluations of the policy, one or several by name.", "named", ("eval",), effect="none"),
}

SETTINGS = {
    "strict": Field("bool", "Whether unknown keys of the form `_name_` are errors.", True),
    "allow_imports": Field("bool", "Whether `imports` may name local modules.", True),
    "allow_target": Field("bool", "Whether `_target_` may import by name.", False),
    "allowed_import_prefixes": Field("list[str]", "The modules that `imports` and `_target_` may reach.", ()),
    "allowed_distributions": Field("list[str] | None", "The only packages that may provide components; null: all."),
}

RUN = {
    "name": Field("str", "Name of the run; its folder is `<out_dir>/<name>`.", required=True, effect="none"),
    "out_dir": Field("str", "Folder that the run folder is made in.", required=True, effect="none"),
    "seed": Field("int", "Seed of everything random.", 0),
    "device": Field(
        "str", "`auto`, `cpu`, `cuda` or `cuda:N`; with `cuda`, each process takes one GPU.", "auto", effect="none"
    ),
    "precision": Field(
        "Literal['fp32', 'bf16-mixed', 'fp16-mixed']", "Precision of the arithmetic; `fp16-mixed` needs CUDA.", "fp32"
    ),
    "deterministic": Field("bool", "Whether to use deterministic kernels only.", False, effect="none"),
    "resume_from": Field("str | None", "`auto`, or the path of a checkpoint to go on from.", effect="none"),
    "time_limit": Field(
        "int | str | None",
        "When to stop with a checkpoint, counted from the start: minutes, `HH:MM:SS` or `D-HH:MM:SS`; null: never.",
        effect="none",
    ),
    "process_timeout": Field(
        "int | str",
        "How long processes wait for one that does not answer, as `time_limit` is written.",
        10,
        effect="none",
    ),
    "strategy": Field(
        "str | dict | None",
        "How models live on several processes; null: the number of processes decides.",
        effect="rounding",
    ),
    "launcher": Field("str | dict | None", "Where the processes come from; null: this machine.", effect="none"),
    "compile": Field(
        "bool | str | dict | None",
        "Whether `torch.compile` compiles the models; a mapping gives its options.",
        False,
        effect="rounding",
    ),
}

NORMALIZATIONS = ("mean_std", "min_max", "none")

MODEL_FORMS = ("_type_", "_target_", "config_path", "config", "components")
"""The forms of a model beside the frontends that are installed."""
INITIALISATION = """Literal['kaiming_normal', 'kaiming_uniform', 'normal', 'orthogonal', 'trunc_normal',
    'xavier_normal', 'xavier_uniform', 'zeros'] | None"""
"""What `engine.INITIALISATIONS` offers; a test holds the two together."""
MODEL_OPTIONS = {
    "init": Field(INITIALISATION, "Initialization of all weights with two dimensions or more.", effect="none"),
    "freeze": Field("bool", "Whether the component gets no gradients, stays in eval mode and is not optimized.", False),
    "weights": Field(
        "str | None", "Weights to start from: a checkpoint of a run, or a file of tensors.", effect="none"
    ),
    "strict": Field("bool", "Whether `weights` must have exactly the keys of the model.", True, effect="none"),
}
"""What a named component may have beside its form."""


def is_free(key: str) -> bool:
    """Whether a top-level key holds values to interpolate from, of any form."""
    return key == "params" or key.startswith("x-")
