"""Hypothesis strategies: experiments that are right, each written in one of many ways, and what can be wrong with one.

experiments()               plain data of whole experiments, from the signatures of the installed components
valid_configurations()      such an experiment over files, templates, interpolations, overrides and the environment
invalid_configurations()    one of those with a mistake
written_configurations()    either
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import yaml
from hypothesis import strategies as st

from offline_trainer_core.catalogue import installed_registry
from offline_trainer_core.signature import Parameter, read_signature

__all__ = [
    "Written",
    "experiments",
    "invalid_configurations",
    "mutated",
    "valid_configurations",
    "written_configurations",
]

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Written:
    """A configuration as its author writes it; `exp.yaml` is the file that is checked."""

    files: dict[str, str]
    overrides: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    right: bool | None = True
    """Whether nothing is wrong with it; None where that is not known."""
    means: dict[str, Any] | None = None
    """What it resolves to, beside `params`."""


# Experiments.

_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(1, 10**6),
    "float": st.floats(1e-6, 1e6),
    "bool": st.booleans(),
    "None": st.none(),
}


def _values(annotation: ast.expr) -> st.SearchStrategy[Any] | None:
    """Return values that fit `annotation`; None where it says more than these strategies know."""
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        members = [values for side in (annotation.left, annotation.right) if (values := _values(side)) is not None]
        return st.one_of(members) if members else None
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Literal":
        return st.sampled_from(ast.literal_eval(f"[{ast.unparse(annotation.slice).strip('()')}]"))
    return _SCALARS.get(ast.unparse(annotation))


def _arguments(parameter: Parameter) -> st.SearchStrategy[Any] | None:
    try:
        annotation = ast.parse(parameter.annotation, mode="eval").body
    except SyntaxError:
        return None
    return _values(annotation)


@cache
def _component(key: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return specs of a component in which any of its arguments that have defaults may be given."""
    signature = read_signature(installed_registry().find(key).reference)
    known = {p.name: values for p in signature.parameters if p.has_default and (values := _arguments(p)) is not None}
    return st.fixed_dictionaries({"_type_": st.just(key)}, optional=known) if signature else st.just({"_type_": key})


def _layers(sizes: list[int]) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = []
    for width, after in pairwise(sizes):
        layers += [{"_type_": "nn.Linear", "in_features": width, "out_features": after}, {"_type_": "nn.Tanh"}]
    return layers


def _graph(sizes: list[int]) -> dict[str, Any]:
    layers = _layers(sizes)
    steps = [
        {"call": f"module:m{i}", "args": ["$x" if i == 0 else f"$h{i - 1}"], "out": f"h{i}"} for i in range(len(layers))
    ]
    modules = {f"m{i}": layer for i, layer in enumerate(layers)}
    return {"inputs": ["x"], "modules": modules, "steps": steps, "outputs": [f"$h{len(layers) - 1}"]}


@st.composite
def experiments(draw: Draw) -> dict[str, Any]:
    """Draw the plain data of an experiment in which nothing is wrong."""
    sizes = draw(st.lists(st.integers(1, 512), min_size=2, max_size=5))
    model = draw(
        st.sampled_from(
            [
                {"sequential": {"inputs": ["x"], "layers": [{"_type_": "block.mlp", "dims": sizes}]}},
                {"sequential": {"inputs": ["x"], "layers": _layers(sizes)}},
                {"graph": _graph(sizes)},
            ]
        )
    )
    run = {"name": draw(_NAMES), "out_dir": draw(_NAMES), "seed": draw(st.integers(0, 2**31))}
    data = {"batch_size": 8, "steps_per_epoch": 4, "x_shape": [sizes[0]], "y_shape": [sizes[-1]]}
    needed = {
        "schema_version": 1,
        "run": run,
        "model": model,
        "data": {"_type_": "data.random_regression", **data},
        "io": {"_type_": "io.mapping", "model_kwargs": {"x": "x"}, "targets": {"y": "y"}},
        "loss": {"_type_": "loss.torch", "fn": draw(st.sampled_from(["MSELoss", "L1Loss", "SmoothL1Loss"]))},
        "optimizer": {"_type_": "optim_factory.torch", "type": "AdamW", "kwargs": {"lr": draw(st.floats(1e-6, 1.0))}},
    }
    optional = {
        "trainer": _component("trainer.default"),
        "scheduler": st.just({"_type_": "sched_factory.warmup_cosine", "warmup_steps": 10}),
        "metrics": st.just([{"_type_": "metric.mean_absolute_error"}]),
        "callbacks": st.lists(st.sampled_from(["cb.progress", "cb.ema", "cb.throughput"]), unique=True).flatmap(
            lambda keys: st.tuples(*map(_component, keys)).map(list)
        ),
        "loggers": st.lists(st.sampled_from(["log.csv", "log.jsonl"]).flatmap(_component), max_size=2),
    }
    return {**needed, **draw(st.fixed_dictionaries({}, optional=optional))}


_NAMES = st.text("abcxyz-", min_size=1, max_size=8).map(lambda name: f"r{name}")


# Ways to write an experiment.


def _places(node: Any, path: tuple[str | int, ...] = ()) -> Iterable[tuple[Any, tuple[str | int, ...]]]:
    """Yield everything below `node` with its place."""
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, below in entries:
        yield below, (*path, key)
        yield from _places(below, (*path, key))


def _put(tree: Any, place: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy of `tree` with `value` at `place`."""
    if not place:
        return value
    copy: Any = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[place[0]] = _put(copy[place[0]], place[1:], value)
    return copy


def _spelled(place: tuple[str | int, ...]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in place)[1:]


def _text(draw: Draw, data: Any) -> str:
    """Return `data` as YAML: in blocks, in flow, or as JSON."""
    style = draw(st.sampled_from(["json", False, None, True]))
    if style == "json":
        return json.dumps(data, ensure_ascii=False, indent=draw(st.sampled_from([None, 1])))
    return str(yaml.safe_dump(data, sort_keys=False, default_flow_style=style, allow_unicode=True))


@st.composite
def valid_configurations(draw: Draw) -> Written:
    """Draw an experiment, written over files, templates, interpolations, overrides and the environment."""
    means = draw(experiments())
    tree, params, env, overrides = dict(means), {}, {}, []
    scalars = [(value, place) for value, place in _places(means) if not isinstance(value, (dict, list))]
    chosen = draw(st.lists(st.sampled_from(scalars), max_size=4, unique_by=lambda found: found[1]))
    for number, (value, place) in enumerate(chosen):
        way = draw(st.sampled_from(["params", "json", "override"]))
        if way == "params":
            params[f"p{number}"] = value
            tree = _put(tree, place, f"${{params.p{number}}}")
        elif way == "json":
            env[f"OT_FUZZ_{number}"] = json.dumps(value)
            tree = _put(tree, place, f"${{env:json:OT_FUZZ_{number}}}")
        else:
            overrides.append(f"{_spelled(place)}={json.dumps(value)}")
            tree = _put(tree, place, draw(st.sampled_from([None, "other", 0])))
    if params:
        tree["params"] = params
    typed = {path.split(".")[0] for path in overrides}  # overrides come before templates
    files = dict(_divided(draw, _with_template(draw, tree, typed)))
    return Written({name: _text(draw, data) for name, data in files.items()}, tuple(overrides), env, True, means)


def _with_template(draw: Draw, tree: dict[str, Any], typed: set[str]) -> dict[str, Any]:
    """Return `tree` with a part of one section, other than `typed`, in a template."""
    section = draw(st.sampled_from([None, *sorted({"run", "data", "optimizer"} - typed)]))
    if section is None:
        return tree
    kept = draw(st.sets(st.sampled_from(sorted(tree[section]))))
    template = {key: value for key, value in tree[section].items() if key not in kept}
    own = {key: value for key, value in tree[section].items() if key in kept}
    return {**tree, "templates": {"t": template}, section: {"_template_": "t", **own}}


def _divided(draw: Draw, tree: dict[str, Any]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield the files of `tree`: some of its sections, or the first items of a list, stand in a file below it."""
    below = draw(st.sets(st.sampled_from(sorted(tree))))
    own = {key: value for key, value in tree.items() if key not in below}
    base = {key: value for key, value in tree.items() if key in below}
    if "callbacks" in own:
        mode = draw(st.sampled_from(["append", "prepend", "replace"]))
        cut = draw(st.integers(0, len(own["callbacks"])))
        first, last = own["callbacks"][:cut], own["callbacks"][cut:]
        base["callbacks"], value = (first, last) if mode == "append" else (last, first)
        own["callbacks"] = {"_merge_": mode, "_value_": own["callbacks"] if mode == "replace" else value}
    if base:
        yield "base.yaml", base
        own = {"defaults": ["base.yaml"], **own}
    yield "exp.yaml", own


# Mistakes.

_RESERVED = st.sampled_from(
    ["_type_", "_target_", "_args_", "_kwargs_", "_merge_", "_value_", "_template_", "key", "<<"]
)
_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("${run}") | st.just("$x"),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8) | _RESERVED, below, max_size=3),
    max_leaves=6,
)


def _with_text(written: Written, added: str, right: bool | None, **env: str) -> Written:
    """Return `written` with another file over it that says `added`."""
    files = {**written.files, "inner.yaml": written.files["exp.yaml"], "exp.yaml": f"defaults: [inner.yaml]\n{added}\n"}
    return replace(written, files=files, env={**written.env, **env}, right=right)


_ALWAYS_WRONG = (
    "x-a: ${x-b}\nx-b: ${x-a}",
    "x-a: ${x-a}",
    "x-a: ${nowhere}",
    "x-a: ${env:OT_FUZZ_ABSENT}",
    "x-a: '${env:int:OT_FUZZ_ABSENT,many}'",
    "x-a: {_merge_: upside-down, _value_: 1}",
    "x-a: {_merge_: append}",
    "x-a: {_merge_: keyed, key: k, _value_: [{k: 1}, {k: 1}]}",
    "x-a: {_template_: nowhere}",
    "x-a: 1\nx-a: 2",
    "x-a: 1\n'x-a': 2",
    "x-a: !!python/name:os.system",
    "x-a: [*nowhere]",
    "run: 5",
    "run: {seed: many}",
    "run: {sed: 1}",
    "modle: {}",
    "data: {_type_: data.nothing}",
    "data: {_type_: io.mapping}",
    "data: {_target_: os.system}",
    "data: {batch_size: [many]}",
    "data: {bacth_size: 3}",
    "optimizer: {kwargs: {lr: {_type_: nn.Linear}}}",
    "imports: [os]",
)
_WRONG_OVERRIDES = (
    "nowhere.at.all=1",
    "=1",
    "run",
    "run..seed=1",
    "run.seed=[",
    "~nowhere",
    "run[0]=1",
    "modle=1",
    "+x=",
)


@st.composite
def invalid_configurations(draw: Draw) -> Written:
    """Draw a configuration with a mistake: one that is surely refused, or junk somewhere, or a damaged text."""
    written = draw(valid_configurations())
    mistake = draw(st.sampled_from(["text", "override", "junk", "junk-override", "renamed", "damage"]))
    if mistake == "text":
        return _with_text(written, draw(st.sampled_from(_ALWAYS_WRONG)), False)
    if mistake in ("override", "junk-override"):
        surely = mistake == "override"
        override = draw(st.sampled_from(_WRONG_OVERRIDES[:-1]) if surely else _junk_overrides())
        return replace(written, overrides=(*written.overrides, override), right=False if surely else None)
    if mistake == "damage":
        name = draw(st.sampled_from(sorted(written.files)))
        damaged = mutated(
            [written.files[name].encode("utf-8", "surrogatepass")], draw(st.randoms(use_true_random=False))
        )
        files = {**written.files, name: damaged.decode("utf-8", "replace")}
        return replace(written, files=files, right=None)
    _, place = draw(st.sampled_from(list(_places(written.means))))
    changed = _put(written.means, place, draw(_JUNK)) if mistake == "junk" else _renamed(written.means, place)
    return Written({"exp.yaml": json.dumps(changed, ensure_ascii=False)}, right=None)


def _junk_overrides() -> st.SearchStrategy[str]:
    signs, paths = (
        st.sampled_from(["", "+", "~"]),
        st.text(max_size=12) | st.sampled_from(["run.seed", "data", "metrics[0]"]),
    )
    return st.builds(
        lambda sign, path, value: f"{sign}{path}={value}", signs, paths, st.text(max_size=12) | _JUNK.map(str)
    ).filter(lambda text: "\0" not in text)


def _renamed(tree: dict[str, Any], place: tuple[str | int, ...]) -> Any:
    """Return a copy of `tree` in which the key at `place`, or the one nearest above, has a letter too many."""
    while isinstance(place[-1], int):
        place = place[:-1]
    parent: Any = tree
    for key in place[:-1]:
        parent = parent[key]
    return _put(tree, place[:-1], {f"{key}x" if key == place[-1] else key: value for key, value in parent.items()})


def written_configurations() -> st.SearchStrategy[Written]:
    """Draw a configuration, right or wrong."""
    return st.one_of(valid_configurations(), invalid_configurations())


# Damage to the bytes of a text.

_TOKENS = [
    *(b"[", b"]", b"{", b"}", b": ", b"- ", b"? ", b", ", b"|\n", b">\n", b"'", b'"', b"#", b"%", b"@", b"`", b"...\n"),
    *(
        b"---\n",
        b"%TAG ! tag:x,\n",
        b"&a ",
        b"*a",
        b"!!",
        b"!!int ",
        b"!!python/name:os.system ",
        b"! ",
        b"<<: *a\n",
        b"~",
    ),
    *(b"${", b"}", b"${run.name}", b"$${", b"${env:HOME}", b"${env:int:X,1}", b"_merge_: append\n", b"_template_: a\n"),
    *(b"_type_: ", b"_target_: os.system\n", b"defaults: [exp.yaml]\n", b"imports: [os]\n", b"\0", b"\x1b[2J", b"\x85"),
    *(
        b"\xe2\x80\xa8",
        b"\xe2\x80\xae",
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xed\xa0\x80",
        b"\r",
        b"\t",
        b"\n",
        b"  ",
        b"9" * 400,
    ),
    *(
        b"1e999",
        b".nan",
        b"-.inf",
        b"0x",
        b"0o8",
        b"1_000",
        b"12:30:45",
        b"null",
        b"true",
        b"\\",
        b"\\u2028",
        b"\\ud800",
    ),
]


def mutated(texts: list[bytes], random: Random) -> bytes:
    """Return one of `texts` with bits flipped, parts cut, doubled or taken from another, and tokens put in."""
    text = bytearray(random.choice(texts))
    for _ in range(random.choice((1, 1, 2, 3, 5, 8))):
        start, length = random.randrange(len(text) + 1), random.choice((1, 2, 4, 16, 64))
        change = random.randrange(7)
        if change == 0 and start < len(text):
            text[start] ^= 1 << random.randrange(8)
        elif change == 1:
            del text[start : start + length]
        elif change == 2:
            text[start:start] = text[start : start + length] * random.choice((1, 2, 50))
        elif change == 3:
            other = random.choice(texts)
            cut = random.randrange(len(other) + 1)
            text[start:start] = other[cut : cut + 4 * length]
        elif change == 4 and random.randrange(10) == 0:
            del text[start:]
        elif change == 5:
            line = text.rfind(b"\n", 0, start) + 1
            text[line:line] = b" " * random.randrange(8)
        else:
            text[start:start] = random.choice(_TOKENS)
    return bytes(text)
