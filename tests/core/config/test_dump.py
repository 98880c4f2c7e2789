"""Dumping: what is written resolves to the same tree, here and in other YAML readers."""

import tempfile
from pathlib import Path

import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from offline_trainer_core.config import resolve_config
from offline_trainer_core.config.dump import to_yaml
from offline_trainer_core.errors import ConfigError

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.text("0123456789.e+-_xo:", max_size=6),
    st.sampled_from(
        ["on", "~", "1e-3", "012", "0o17", ".inf", "${a}", "$${a}", "$$${", "<<", "=", "2024-01-05", "***"]
    ),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS)
RESERVED = ("defaults", "templates", "_template_", "_merge_")
KEYS = TEXTS.filter(lambda key: key not in RESERVED)
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda below: st.one_of(st.lists(below, max_size=4), st.dictionaries(KEYS, below, max_size=4)),
        max_leaves=15,
    ),
    max_size=4,
)


def resolve_text(text: bytes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "exp.yaml"
        path.write_bytes(text)
        return resolve_config(path, env={})


@given(TREES)
@example({"a": "x\u2028y\x85z", "b": "\ufeff", "c" * 200: " \n\t"})
def test_what_is_written_resolves_to_the_same_tree(tree):
    config = resolve_text(to_yaml(tree).encode())
    assert config.plain() == tree
    assert to_yaml(config.root) == to_yaml(tree)


@given(TREES)
def test_other_readers_see_the_same_types(tree):
    text = to_yaml(tree)
    assume("${" not in text)
    assert yaml.safe_load(text) == tree


@given(st.one_of(st.binary(max_size=60), st.text("ab:-?[]{}&*!|>'\"%@`#, \n\t$", max_size=40).map(str.encode)))
def test_any_bytes_resolve_or_raise_a_config_error(text):
    try:
        outcome = resolve_text(text).plain()
    except ConfigError as error:
        outcome = {"message": str(error)}
    assert isinstance(outcome, dict)
