"""`ot components`, `ot plugins` and `ot info` tell what is installed."""

from __future__ import annotations

import ast
import json

import pytest
import yaml

LOSSES = '''
from collections.abc import Sequence


class Weighted:
    """Weighs the dimensions of an action.

    Raises `ValueError` if a weight is negative.
    """

    def __init__(self, weights: Sequence[float], /, scale: float = 2.0, *, names=("x", "y"), mode="mean") -> None:
        raise RuntimeError("looking builds nothing")


def chosen(fn, default=print): ...
'''


@pytest.fixture
def losses(site) -> None:
    components = {"loss.mine.weighted": "my_losses:Weighted", "cb.mine.chosen": "my_losses:chosen"}
    hooks, commands = {"mine": "my_losses:Hooks"}, {"mine": "my_losses:command"}
    groups = {
        "offline_trainer.components": components,
        "offline_trainer.plugins": hooks,
        "offline_trainer.commands": commands,
    }
    site.add("ot-mine", groups, {"my_losses.py": LOSSES})
    site.add("ot-broken", {"offline_trainer.components": {"loss.mine.broken": "not a target"}})


@pytest.mark.usefixtures("losses")
def test_components_are_listed_under_their_package_with_the_first_sentence_of_their_docstring(ot) -> None:
    lines = ot("components").stdout.splitlines()
    first = lines.index("ot-mine 1.0")
    assert [line.split(maxsplit=1) for line in lines[first + 1 : first + 3]] == [
        ["cb.mine.chosen"],
        ["loss.mine.weighted", "Weighs the dimensions of an action."],
    ]


@pytest.mark.usefixtures("losses")
def test_a_kind_narrows_the_list(ot) -> None:
    keys = [component["key"] for component in json.loads(ot("components", "--kind", "cb", "--json").stdout)]
    assert "cb.mine.chosen" in keys
    assert all(key.startswith("cb.") for key in keys)


@pytest.mark.usefixtures("losses")
def test_an_unknown_kind_is_answered_with_the_kinds(ot) -> None:
    done = ot("components", "--kind", "lose")
    assert done.returncode == 2
    assert "there are" in done.stderr
    assert "loss" in done.stderr


@pytest.mark.usefixtures("losses")
def test_plugins_counts_what_each_package_provides(ot) -> None:
    packages = {package["package"]: package for package in json.loads(ot("plugins", "--json").stdout)["packages"]}
    assert packages["ot-mine"] == {
        "package": "ot-mine",
        "version": "1.0",
        "components": {"cb": 1, "loss": 1},
        "hooks": ["mine"],
        "commands": ["mine"],
    }


@pytest.mark.usefixtures("losses")
def test_what_cannot_be_read_is_named_with_its_reason(ot) -> None:
    broken = json.loads(ot("plugins", "--json").stdout)["broken"]
    assert [entry["distribution"] for entry in broken] == ["ot-broken"]
    assert "loss.mine.broken" in broken[0]["reason"]
    assert "ot-broken" in ot("components").stderr


@pytest.mark.usefixtures("losses")
def test_info_tells_arguments_docstring_and_origin_without_importing(ot, site) -> None:
    shown = ot("info", "loss.mine.weighted").stdout
    assert "Weighs the dimensions of an action." in shown
    assert "from    ot-mine 1.0" in shown
    line = 1 + LOSSES.splitlines().index("class Weighted:")
    assert f"source  {site.folder / 'my_losses.py'}:{line}" in shown
    assert ["scale", "float", "2.0"] in [row.split() for row in shown.splitlines()]


@pytest.mark.usefixtures("losses")
def test_the_example_of_info_is_yaml_with_the_defaults_of_the_source(ot) -> None:
    example = yaml.safe_load(ot("info", "loss.mine.weighted").stdout.partition("example\n")[2])
    written = ast.parse(LOSSES).body[1].body[1].args
    given = [*written.args, *written.kwonlyargs]
    values = [*written.defaults, *written.kw_defaults]
    defaults = {arg.arg: ast.literal_eval(value) for arg, value in zip(given, values, strict=True)}
    defaults["names"] = list(defaults["names"])
    assert example == {"loss": {"_type_": "loss.mine.weighted", "_args_": ["???"], **defaults}}


@pytest.mark.usefixtures("losses")
def test_a_default_that_yaml_cannot_say_is_a_comment(ot) -> None:
    example = ot("info", "cb.mine.chosen").stdout.partition("example\n")[2]
    assert yaml.safe_load(example) == {"callbacks": [{"_type_": "cb.mine.chosen", "fn": "???"}]}
    assert "# default:" in example
    assert "print" in example


@pytest.mark.usefixtures("losses")
def test_info_describes_every_candidate_of_a_key(ot, site) -> None:
    site.add("ot-rival", {"offline_trainer.components": {"loss.mine.weighted": "my_losses:Weighted"}})
    shown = ot("info", "loss.mine.weighted").stdout
    assert "from    ot-mine 1.0" in shown
    assert "from    ot-rival 1.0" in shown


@pytest.mark.usefixtures("losses")
def test_info_of_an_unknown_component_suggests_the_nearest(ot) -> None:
    done = ot("info", "loss.mine.wieghted")
    assert done.returncode == 3
    assert "did you mean 'loss.mine.weighted'?" in done.stderr
