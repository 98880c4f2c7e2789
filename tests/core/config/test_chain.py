"""A problem says how the value came to be: what it overrode, its template, merge, expression and including files."""

import pytest

from offline_trainer_core.config import Config

BASE = """\
params: {rate: 0.1, net: {width: 4}}
templates:
  inner: {depth: 2}
  outer: {dims: [1, 2], inside: {_template_: inner}}
lr: 0.1
items: [a, b]
layers: [1, 2]
"""
EXPERIMENT = """\
defaults: [base.yaml]
lr: 0.2
net: {_template_: outer}
items: {_merge_: append, _value_: [{x: 1}]}
layers: [{x: 3}]
rate: ${params.rate}
copy: ${params.net}
"""


@pytest.fixture
def config(resolve, tmp_path, monkeypatch) -> Config:
    monkeypatch.chdir(tmp_path)
    return resolve("defaults: [middle.yaml]\n", "lr=fast", base=BASE, middle=EXPERIMENT)


def notes(config: Config, path: str) -> list[str]:
    """Return the notes of a problem at `path` without the folder of the files."""
    folder = str(next(iter(config.files))).removesuffix("exp.yaml")
    return [note.replace(folder, "") for note in config.problem("any", "any", path).notes]


INCLUDED = ["middle.yaml is included at exp.yaml:1:12"]
FROM_BASE = ["base.yaml is included at middle.yaml:1:12", *INCLUDED]
CHAINS = {
    "lr": ["overrides 0.2 from middle.yaml:2:5", "overrides 0.1 from base.yaml:5:5"],
    "params.rate": FROM_BASE,
    "net.dims[1]": ["from template outer, used at middle.yaml:3:7", *FROM_BASE],
    "net.inside.depth": [
        "from template inner, used at base.yaml:4:34",
        "from template outer, used at middle.yaml:3:7",
        *FROM_BASE,
    ],
    "items[2].x": ["merged by 'append' at middle.yaml:4:35, onto base.yaml:6:8", *INCLUDED],
    "layers[0].x": ["in a list that overrides a list from base.yaml:7:9", *INCLUDED],
    "rate": ["from ${params.rate}, set at base.yaml:1:16", *INCLUDED],
    "copy.width": ["from ${params.net}, set at base.yaml:1:26, used at middle.yaml:7:7", *FROM_BASE],
}


@pytest.mark.parametrize("path", CHAINS)
def test_the_chain_of_a_value_at_any_depth(config, path):
    assert notes(config, path) == CHAINS[path]


def test_what_a_failed_expression_overrode_is_said_too(problems):
    (found,) = problems("defaults: [base.yaml]\nlr: ${no}", base="lr: 0.1")
    assert any(note.startswith("overrides 0.1 from ") for note in found.notes)


def test_a_problem_of_a_template_says_where_it_is_used_and_included(problems):
    (found,) = problems("defaults: [base.yaml]\nm: {_template_: t}", base="templates: {t: {x: '${no}'}}")
    assert "from template t, used at " in found.notes[0]
    assert "base.yaml is included at " in found.notes[1]


SECRETS = {
    "a value that was overridden": ("defaults: [base.yaml]\napi_key: 3", {"base": "api_key: hunter2x"}, "api_key"),
    "the value itself": ("api_key: hunter2x", {}, "api_key"),
    "a value on its own line": ("api_key:\n  hunter2x", {}, "api_key"),
    "a quoted value": ("a: {password: 'hunter2x, y', b: 1}", {}, "a.b"),
    "a value beside it": ("a: {password: hunter2x, b: 1}", {}, "a.b"),
    "a list of them": ("credentials: [x, hunter2x]", {}, "credentials[0]"),
    "a default": ("a: '${env:HF_TOKEN,hunter2x}'", {}, "a"),
    "a value from elsewhere": ("a: ${b.password}\nb: {password: hunter2x}", {}, "a"),
}


@pytest.mark.parametrize(("text", "others", "path"), SECRETS.values(), ids=SECRETS)
def test_no_secret_is_shown(resolve, text, others, path):
    config = resolve(text, **others)
    value = config.plain(path)
    problem = config.problem("any", f"takes int, not the string '{value}'", path, fix=f"x: {value}")
    assert "hunter2x" not in problem.render() + repr(problem)
    assert "^" in problem.render()


def test_what_is_no_secret_is_shown(resolve):
    config = resolve("defaults: [base.yaml]\npad_token: two", base="pad_token: one")
    shown = config.problem("any", "not 'two'", "pad_token").render()
    assert "not 'two'" in shown
    assert "pad_token: two" in shown
    assert "overrides 'one'" in shown


@pytest.mark.parametrize("override", ["api_kye=hunter2x", "log.api_key=hunter2x", "log.api_key:hunter2x"])
def test_an_override_with_a_secret_is_not_repeated(problems, override):
    (found,) = problems("log: {a: 1}\napi_key: 3", override)
    assert ("hunter2x" in found.render()) == ("kye" in override)  # nobody knows that this was to be a secret
