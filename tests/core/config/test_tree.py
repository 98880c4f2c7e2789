"""The resolved tree: frozen, the same every time, and able to say where its values come from."""

import copy
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from enum import Enum
from pathlib import Path

import pytest

from offline_trainer_core.config import join_path, resolve_config, walk
from offline_trainer_core.errors import ConfigError

TEXT = "a: {b: [1, {_type_: x.y}], 'odd.key': 2}\nc: '${a.b[0]}'\n"


def test_nothing_in_a_configuration_can_be_changed(resolve):
    config = resolve(TEXT)
    with pytest.raises(TypeError):
        config.root.items["new"] = config.root
    with pytest.raises(TypeError):
        config.sources["new"] = ""
    with pytest.raises(FrozenInstanceError):
        config.find("c").value = 3
    plain = config.plain()
    plain["a"]["b"].append(3)
    assert config.plain("a.b") == [1, {"_type_": "x.y"}]


def test_the_same_files_give_the_same_configuration(write):
    path = write(TEXT)
    assert resolve_config(path, ["c=2"]) == resolve_config(path, ["c=2"])
    assert resolve_config(path) != resolve_config(path, ["c=2"])


def test_a_configuration_survives_pickling_and_copying(resolve):
    config = resolve(TEXT, "a.b[0]=5")
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301
    assert copy.deepcopy(config) == config


def test_every_node_is_found_at_the_path_that_walk_gives(resolve):
    config = resolve(TEXT)
    paths = dict(config.walk())
    assert set(paths) == {"", "a", "a.b", "a.b[0]", "a.b[1]", "a.b[1]._type_", 'a["odd.key"]', "c"}
    assert all(config.find(path) is node for path, node in paths.items())
    assert list(dict(config.walk("a.b[1]"))) == ["a.b[1]", "a.b[1]._type_"]
    assert config.find("a.b[2]") is None
    assert config.find("c.d") is None


def test_a_spec_knows_its_type(resolve):
    config = resolve(TEXT)
    assert config.find("a.b[1]").type_key == "x.y"
    assert config.find("a").type_key is None


def test_a_problem_points_at_a_value_a_key_or_the_nearest_parent(resolve):
    config = resolve(TEXT)
    assert config.problem("x", "m", "a.b[0]").location[1:] == (1, 9)
    assert config.problem("x", "m", "a.b", at_key=True).location[1:] == (1, 5)
    assert config.problem("x", "m", "a.b[1].missing.deep").location == config.find("a.b[1]").location
    assert config.problem("x", "m", "a.b").source_line == TEXT.splitlines()[0]


def test_a_problem_names_what_the_value_overrode(resolve):
    config = resolve("defaults: [base.yaml]\nlr: fast", base="\nlr: 0.1")
    (note,) = config.problem("x", "m", "lr").notes
    assert note.startswith("overrides 0.1 from ")
    assert note.endswith("base.yaml:2:5")
    assert resolve("lr: fast").problem("x", "m", "lr").notes == ()


def test_a_mapping_resolves_like_a_file(resolve):
    tree = {"a": {"b": (1, {"_type_": "x.y"}), "odd.key": 2}, "c": "${a.b[0]}"}
    config = resolve_config(tree)
    assert config.plain() == resolve(TEXT).plain()
    assert config.find("a").location is None
    assert config.find("a").history[0].directive == "mapping"


def test_a_mapping_keeps_values_and_not_their_subclasses():
    class Word(str, Enum):
        A = "a"

    value = resolve_config({"a": Word.A}).plain("a")
    assert (value, type(value)) == ("a", str)


@pytest.mark.parametrize(
    ("tree", "code"),
    [
        ({"a": {1: 2}}, "bad-key"),
        ({"a": [object()]}, "bad-value"),
        ({"a": Path("x")}, "bad-value"),
        ({"a": b"x"}, "bad-value"),
        ({"defaults": ["x.yaml"]}, "bad-defaults"),
        ({"a": 10**2000}, "too-large"),
        ({"a": {"_merge_": "append"}}, "bad-merge"),
    ],
)
def test_what_cannot_stand_in_a_mapping_is_a_problem(tree, code):
    with pytest.raises(ConfigError) as caught:
        resolve_config(tree)
    assert [p.code for p in caught.value.problems] == [code]


def test_a_list_that_contains_itself_is_too_deep():
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ConfigError, match="levels deep"):
        resolve_config({"a": endless})


def test_walk_joins_onto_a_given_path(resolve):
    node = resolve(TEXT).find("a.b")
    assert [path for path, _ in walk(node, "x")] == ["x", "x[0]", "x[1]", join_path("x[1]", "_type_")]


def test_resolving_loads_no_torch_and_no_plugin(write):
    code = (
        "import sys; from offline_trainer_core.config import resolve_config; resolve_config(sys.argv[1]); "
        "print(sorted(set(sys.modules) & {'torch', 'numpy', 'pluggy', 'rich', 'difflib'}))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(write(TEXT))], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
