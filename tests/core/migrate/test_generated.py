"""Older files of any layout are translated without loss: values, comments, and what has no place any more."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offline_trainer_core.config import to_plain
from offline_trainer_core.config.written import parse_written
from offline_trainer_core.migrate import translated

words = st.sampled_from(["a", "b", "relu", "x.y", "two words", "it's", "1", "yes", "", "#1", "ü", "- a", "a: b"])
scalars = st.one_of(words, st.integers(-5, 10**6), st.floats(-10, 10).map(lambda x: round(x, 3)), st.booleans())
names = st.sampled_from(["lr", "path", "width", "betas", "note"])
params = st.dictionaries(
    names, st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2)),
    max_size=3,
)  # fmt: skip
specs = st.one_of(
    st.sampled_from(["mse", "team.thing"]),
    st.fixed_dictionaries({"type": st.sampled_from(["mse", "AdamW"])}, optional={"params": params}),
)
positive = st.integers(1, 100)
nested = st.fixed_dictionaries(
    {
        "model": st.sampled_from([{"config_path": "m.yaml"}, {"config": {"schema_version": 1, "model": {}}}]),
        "data": st.fixed_dictionaries({"datamodule": specs}),
        "train": st.fixed_dictionaries(
            {"loss": specs},
            optional={
                "model_input": st.sampled_from(["x", ["x", "y"], {"x": "obs"}, [["obs", "x"]]]),
                "trainer": specs, "optimizer": specs, "scheduler": st.none() | specs,
                "metrics": st.lists(specs, max_size=3), "callbacks": st.lists(specs, max_size=2),
                "loggers": st.lists(specs, max_size=2),
                "max_epochs": positive, "max_steps": st.sampled_from([-1, 10]), "accumulate_grad_batches": positive,
                "amp": st.booleans(), "gradient_clip_val": st.sampled_from([0, 0.5]), "log_every_n_steps": positive,
                "ema": st.fixed_dictionaries({"decay": st.just(0.75)}, optional={"enabled": st.booleans()}),
                "checkpoint": st.fixed_dictionaries({}, optional={
                    "save_dir": st.just("runs/x"), "save_every_n_steps": st.none() | positive,
                    "save_last": st.booleans(), "resume_from": st.sampled_from([None, "old.ckpt"]),
                }),
            },
        ),
    },
    optional={
        "plugins": st.lists(st.sampled_from(["lab.parts", "lab", "some-package"]), max_size=3, unique=True),
        "seed": st.integers(0, 9), "deterministic": st.booleans(), "device": st.sampled_from(["cpu", "auto"]),
    },
)  # fmt: skip
components = st.sampled_from(["encoder", "head"])
multi_model = st.fixed_dictionaries(
    {
        "model": st.fixed_dictionaries(
            {"component_config_paths": st.just({"encoder": "e.yaml", "head": "h.yaml"})},
            optional={
                "component_build_args": st.dictionaries(
                    components, st.fixed_dictionaries({}, optional={"init": words, "freeze": st.booleans()})
                ),
                "component_optims": st.dictionaries(components, specs),
                "find_unused_parameters": st.booleans(),
            },
        ),
        "data": st.fixed_dictionaries(
            {"datamodule": specs},
            optional={
                "batch_size": positive, "num_workers": positive, "pin_memory": st.booleans(),
                "persistent_workers": st.booleans(), "prefetch_factor": positive,
            },
        ),
        "train": st.fixed_dictionaries({}, optional={
            "project_name": st.just("task"), "epoch": positive, "save_every": st.sampled_from([None, 0, 5]),
            "save_dir": st.just("out"), "load_dir": st.sampled_from([None, "before"]), "seed": positive,
            "trainer": specs, "loss": specs,
        }),
    }
)  # fmt: skip


class Writer:
    """Writes plain data as YAML in a layout that hypothesis draws, a numbered comment wherever one may stand."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.numbers = itertools.count()

    def comment(self) -> str:
        return f"# note {next(self.numbers)}" if self.data.draw(st.booleans()) else ""

    def chosen(self) -> bool:
        return self.data.draw(st.booleans())

    def text(self, tree: dict[str, Any]) -> str:
        end = self.comment()
        return "\n".join([*self.lines(tree, 0), end]) + "\n"

    def lines(self, tree: Any, column: int) -> Iterator[str]:
        pad = " " * column
        pairs = tree.items() if isinstance(tree, dict) else [("-", item) for item in tree]
        for key, value in pairs:
            start = f"{pad}-" if isinstance(tree, list) else f"{pad}{key}:"
            if comment := self.comment():
                yield pad + comment
            if self.data.draw(st.integers(0, 4)) == 0:
                yield ""
            beside = self.comment()
            if not isinstance(value, (dict, list)) or not value or (isinstance(tree, list) or self.chosen()):
                yield f"{start} {self.flow(value)}  {beside}".rstrip()
            else:
                yield f"{start}  {beside}".rstrip()
                yield from self.lines(value, column + self.data.draw(st.integers(1, 4)))

    def flow(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key}: {self.flow(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.flow(item) for item in value) + "]"
        return json.dumps(value, ensure_ascii=False)


def leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, (dict, list)):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(item)
    else:
        yield tree


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=nested | multi_model, data=st.data())
def test_nothing_of_an_older_file_is_lost(tmp_path: Path, tree: dict[str, Any], data: st.DataObject) -> None:
    file = tmp_path / "old.yaml"
    text = Writer(data).text(tree)
    file.write_text(text)
    translation = translated(str(file))
    assert translation is not None

    new = parse_written(translation.text, "new.yaml").root
    assert to_plain(new) == to_plain(translation.config.root)
    assert sorted(re.findall(r"# note \d+", translation.text)) == sorted(re.findall(r"# note \d+", text))
    comments = "\n".join(line for line in translation.text.splitlines() if line.lstrip().startswith("#"))
    kept = [str(leaf) for leaf in leaves(to_plain(new))]
    for leaf in leaves(tree):
        if isinstance(leaf, (str, int, float)) and not isinstance(leaf, bool):
            assert any(str(leaf) in value for value in kept) or json.dumps(leaf, ensure_ascii=False) in comments

    file.write_text(translation.text)
    assert translated(str(file)) is None
