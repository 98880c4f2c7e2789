"""One report has every problem of every layer, in the order of the text, and nothing that follows from another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.config import Config, try_resolve
from offline_trainer_core.errors import Problem
from offline_trainer_core.plan import CheckReport, check_config_tree, report_unresolved

Whole = Callable[..., CheckReport]

BASE = """\
params: {width: 4, rate: 0.001}
templates:
  small: {_type_: block.mlp, dims: ["${params.width}", 2]}
data: {_type_: data.tensors, batch_size: 8}
callbacks: [{_type_: cb.progress}]
"""
EXPERIMENT = """\
schema_version: 1
defaults: [base.yaml]
run: {name: test, out_dir: runs}
model:
  sequential:
    inputs: [x]
    layers:
      - {_template_: small}
      - {_type_: block.mlp, dims: [2, 2], dropout: 0.5}
io: {_type_: io.mapping, model_kwargs: {x: obs}, targets: {y: action}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: "${params.rate}"}}
scheduler: {_type_: sched_factory.torch, type: StepLR, kwargs: {step_size: 10}}
"""


@pytest.fixture
def whole(parts: Any, tmp_path: Path) -> Whole:
    """Return a function that resolves and checks `exp.yaml` and the files beside it."""

    def whole(text: str = EXPERIMENT, *overrides: str, env: Any = None, **others: str) -> CheckReport:
        for name, content in {"base": BASE, "exp": text, **others}.items():
            (tmp_path / f"{name}.yaml").write_text(content)
        config, problems = try_resolve("exp.yaml", overrides, env=env or {})
        return report_unresolved(problems) if config is None else check_config_tree(config, parts, problems)

    return whole


def codes(report: CheckReport) -> list[str]:
    return [problem.code for problem in report.problems]


def test_the_experiment_that_all_of_these_change_is_right(whole: Whole) -> None:
    report = whole()
    assert codes(report) == []
    assert [layer.status for layer in report.layers] == ["passed"] * 4


SINGLE = {
    "key twice": ("run: {", "run: {name: other, ", "duplicate-key"),
    "section twice": ("io: {", "loss: {reduction: sum}\nio: {", "duplicate-key"),
    "merge key": ("loss: {_type_: loss.torch,", "loss: {<<: {a: 1},", "merge-key"),
    "merge key at the top": ("run: {name: test, out_dir: runs}", "<<: {run: {name: test}}", "merge-key"),
    "number as key": ("run: {", "run: {1: a, ", "bad-key"),
    "tag": ("dropout: 0.5", "dropout: !mine 0.5", "unknown-tag"),
    "wrong tag": ("dropout: 0.5", "dropout: !!float half", "bad-tag"),
    "missing variable in a number": ("dropout: 0.5", "dropout: '${env:NOWHERE}'", "missing-environment-variable"),
    "missing variable in a text": ("name: test", "name: 'a-${env:NOWHERE}'", "missing-environment-variable"),
    "missing variable in a section": ("io: {_type_: io.mapping, model_kwargs: {x: obs},",
                                      "io: {_type_: io.mapping, model_kwargs: '${env:json:NOWHERE}',",
                                      "missing-environment-variable"),
    "bad cast": ("dropout: 0.5", "dropout: '${env:int:NOWHERE,many}'", "bad-cast"),
    "no such value": ("name: test", "name: '${params.nam}'", "unknown-path"),
    "value used by others": ("lr: \"${params.rate}\"", "lr: '${params.rat}'", "unknown-path"),
    "cycle": ("name: test", "name: '${run.name}'", "cycle"),
    "endless expression": ("name: test", "name: '${params'", "bad-expression"),
    "no such template": ("_template_: small", "_template_: smal", "unknown-template"),
    "template of no name": ("_template_: small", "_template_: [small]", "bad-template"),
    "no such template for an optimizer": ("optimizer: {_type_: optim_factory.torch, type: AdamW,",
                                          "optimizer: {_template_: adam,", "unknown-template"),
    "no such template for the root": ("schema_version", "_template_: all\nschema_version", "unknown-template"),
    "merge mode": ("scheduler: {", "callbacks: {_merge_: apend, _value_: []}\nscheduler: {", "bad-merge"),
    "merge without a value": ("scheduler: {", "callbacks: {_merge_: append, vlaue: []}\nscheduler: {", "bad-merge"),
    "merge key of a container": ("scheduler: {", "data: {_merge_: replace, _vlaue_: {}}\nscheduler: {", "bad-merge"),
    "merge of no list": ("scheduler: {", "data: {_merge_: append, _value_: 3}\nscheduler: {", "bad-merge"),
    "unknown section": ("scheduler: {", "shceduler: {", "unknown-key"),
    "unknown required section": ("run: {", "rum: {", "unknown-key"),
    "unknown section that is needed": ("loss: {", "los: {", "unknown-key"),
    "unknown field that is needed": ("name: test", "nmae: test", "unknown-key"),
    "unknown frontend": ("  sequential:", "  sequental:", "unknown-key"),
    "unknown settings": ("run: {", "settings: {allow_targt: true}\nrun: {", "unknown-key"),
    "unknown component": ("loss.torch", "loss.torhc", "unknown-component"),
    "unknown optimizer": ("type: AdamW", "type: AdmaW", "unknown-component"),
    "wrong kind": ("loss.torch", "io.mapping", "wrong-kind"),
    "no type": ("{_type_: io.mapping,", "{", "missing-type"),
    "unknown argument": ("dropout: 0.5", "droput: 0.5", "unknown-argument"),
    "misspelled argument that is needed": ("fn: {", "fun: {", "unknown-argument"),
    "wrong type": ("dropout: 0.5", "dropout: much", "wrong-type"),
    "no such local module": ("run: {", "settings: {allowed_import_prefixes: [mine]}\nimports: [mine.parts]\nrun: {",
                             "missing-module"),
    "local module that is not allowed": ("run: {", "imports: [mine]\nrun: {", "import-not-allowed"),
    "unknown device": ("name: test", "name: test, device: gpu", "wrong-device"),
    "unknown value for a device": ("name: test", "name: test, precision: fp16-mixed, device: '${env:D}'",
                                   "missing-environment-variable"),
    "components that are not known": ("scheduler: {", "metrics: ${params.metrics}\nscheduler: {", "unknown-path"),
    "component that is not known": ("_type_: loss.torch", "_type_: '${params.loss}'", "unknown-path"),
    "missing file": ("[base.yaml]", "[bas.yaml]", "missing-file"),
    "no file": ("[base.yaml]", "[base.yaml, 3]", "bad-defaults"),
    "no list of files": ("[base.yaml]", "base.yaml", "bad-defaults"),
    "missing model file": ("  sequential:", "  config_path: no.yaml\nx-old:\n  sequential:", "missing-file"),
}  # fmt: skip
"""What is replaced in the experiment, by what, and the one problem that this is."""


@pytest.mark.parametrize(("old", "new", "code"), SINGLE.values(), ids=SINGLE)
def test_one_mistake_is_one_problem(whole: Whole, old: str, new: str, code: str) -> None:
    assert old in EXPERIMENT
    assert codes(whole(EXPERIMENT.replace(old, new))) == [code]


OVERRIDES = {
    "no such path": ("optimizer.kwargs.lrr=1", "unknown-path"),
    "no such path to delete": ("~schduler", "unknown-path"),
    "no value": ("run.name", "bad-override"),
    "a colon": ("run.name:other", "bad-override"),
    "no YAML": ("run.name=[a", "yaml-syntax"),
    "files": ("+defaults=[other.yaml]", "bad-defaults"),
    "missing variable": ("loss._type_=${env:NOWHERE}", "missing-environment-variable"),
    "wrong type": ("data.batch_size=many", "wrong-type"),
    "missing section": ("~loss", "missing-section"),
    "missing key": ("~run.name", "missing-key"),
    "missing argument": ("~data.batch_size", "missing-argument"),
}


@pytest.mark.parametrize(("override", "code"), OVERRIDES.values(), ids=OVERRIDES)
def test_one_wrong_override_is_one_problem(whole: Whole, override: str, code: str) -> None:
    assert codes(whole(EXPERIMENT, override)) == [code]


def test_an_override_that_cannot_be_read_leaves_open_what_it_would_set(whole: Whole) -> None:
    without = EXPERIMENT.replace("name: test, ", "")
    assert codes(whole(without)) == ["missing-key"]
    assert codes(whole(without, "run.name:test")) == ["bad-override"]


def test_a_value_that_is_not_known_leaves_the_others_of_its_list_checked(whole: Whole) -> None:
    report = whole(EXPERIMENT.replace("dims: [2, 2]", "dims: ['${params.no}', two]"))
    assert codes(report) == ["unknown-path", "wrong-type"]


EVERYTHING = """\
schema_version: 1
defaults: [base.yaml, more.yaml]
run: {name: "${env:STUDY}", out_dir: runs, sed: 3, name: again}
model:
  sequential:
    inputs: [x]
    layers:
      - {_template_: smal}
      - {_type_: block.mlp, dims: [2, two], droput: 0.5}
io: {_type_: io.mapping, model_kwargs: {x: obs}, targets: {y: action}}
loss: {_type_: loss.torhc, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: "${params.rat}"}}
scheduler: {_type_: sched_factory.torch, type: StepLR, kwargs: {gamma: 0.5}}
trainr: {}
"""
MORE = """\
callbacks: {_merge_: apend, _value_: []}
optimizer: {kwargs: {weight_decay: much}}
run: {device: gpu}
"""
EXPECTED = [
    ("exp.yaml", "missing-environment-variable"),
    ("exp.yaml", "unknown-key"),
    ("exp.yaml", "duplicate-key"),
    ("exp.yaml", "unknown-template"),
    ("exp.yaml", "wrong-type"),
    ("exp.yaml", "unknown-argument"),
    ("exp.yaml", "unknown-component"),
    ("exp.yaml", "unknown-path"),
    ("exp.yaml", "missing-argument"),
    ("exp.yaml", "unknown-key"),
    ("base.yaml", "wrong-type"),
    ("more.yaml", "bad-merge"),
    ("more.yaml", "wrong-type"),
    ("more.yaml", "wrong-device"),
    ("<override 1>", "unknown-path"),
    ("<override 2>", "bad-override"),
    ("<override 3>", "bad-cast"),
]


def test_problems_of_every_layer_and_file_are_one_report_in_the_order_of_the_text(whole: Whole) -> None:
    base = BASE.replace("batch_size: 8", "batch_size: eight")
    overrides = ("optimizer.kwargs.lrr=1", "run.seed:4", "+run.seed=${env:int:SEED}")
    report = whole(EVERYTHING, *overrides, env={"SEED": "few"}, base=base, more=MORE)
    found = [(problem.location.file, problem.code) for problem in report.problems if problem.location]
    assert found == EXPECTED
    assert len(report.problems) == len(EXPECTED)
    assert len({code for _, code in EXPECTED}) >= 10
    places = [
        problem.location for problem in report.problems if problem.location and problem.location.file == "exp.yaml"
    ]
    assert places == sorted(places)


def test_what_is_mended_is_gone_and_the_rest_stays(whole: Whole) -> None:
    mended = EVERYTHING.replace("_template_: smal}", "_template_: small}").replace("torhc", "torch")
    before, after = whole(EVERYTHING, env={}, more=MORE), whole(mended, env={}, more=MORE)
    assert set(codes(before)) - set(codes(after)) == {"unknown-template", "unknown-component"}


def test_where_a_file_cannot_be_read_all_files_are_read_and_the_other_layers_are_skipped(whole: Whole) -> None:
    text = EXPERIMENT.replace("[base.yaml]", "[base.yaml, broken.yaml, none.yaml, empty.yaml]")
    text = text.replace("loss.torch", "loss.torhc").replace("name: test", "name: '${env:STUDY}'")
    report = whole(text, "no.such=1", "what", broken="a:\n\tb: 1\n", empty="# nothing\n")
    assert codes(report) == [
        "missing-file",
        "missing-environment-variable",
        "yaml-syntax",
        "empty-file",
        "bad-override",
    ]
    assert [(layer.status, layer.detail != "") for layer in report.layers] == [
        ("failed", True), ("skipped", True), ("skipped", True), ("skipped", True)
    ]  # fmt: skip


def test_a_template_that_is_used_twice_is_wrong_once(whole: Whole) -> None:
    twice = EXPERIMENT.replace("- {_template_: small}", "- {_template_: small}\n      - {_template_: small}")
    report = whole(twice, base=BASE.replace("block.mlp", "block.mpl"))
    assert codes(report) == ["unknown-component"]


def test_a_model_file_takes_part_in_the_report(whole: Whole) -> None:
    text = EXPERIMENT.replace("  sequential:", "  config_path: net.yaml\nx-old:\n  sequential:")
    report = whole(
        text, net="schema_version: 1\nmodel: {sequential: {layers: [{_type_: block.mpl, dims: ['${no}']}]}}\n"
    )
    assert codes(report) == ["unknown-component", "unknown-path"]
    assert all("net.yaml is included at exp.yaml:5:16" in problem.notes for problem in report.problems)
    assert all(problem.config_path.startswith("model.config_path.") for problem in report.problems)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("step_size: 10", "step_size: !mine 10", "unknown-tag"),
        ("step_size: 10", "step_size: !mine [10]", "unknown-tag"),
        ("step_size: 10", "step_size: !mine {a: 10}", "unknown-tag"),
        ("step_size: 10", "step_size: {_merge_: append, value: [1]}", "bad-merge"),
        ("io: {", "callbacks: {_merge_: append, valeu: [cb.nowhere]}\nio: {", "bad-merge"),
        ("io: {", "data: {batch_size: {_merge_: append, _value_: [1]}}\nio: {", "bad-merge"),
        ("io: {", "data: {_merge_: prepend, _value_: [1]}\nio: {", "bad-merge"),
    ],
)
def test_a_value_that_resolution_refuses_is_of_no_wrong_type(whole: Whole, old: str, new: str, code: str) -> None:
    assert old in EXPERIMENT
    assert [problem.code for problem in whole(EXPERIMENT.replace(old, new)).problems] == [code]


MANY = {
    "names": EXPERIMENT + "".join(f"lss{number}: 1\n" for number in range(3000)),
    "signatures": EXPERIMENT + "metrics: [" + "{_type_: metric.error, a: 1, b: 2}, " * 3000 + "]\n",
    "imports": EXPERIMENT + f"imports: [{', '.join(f'nowhere{number}' for number in range(3000))}]\n",
}


@pytest.mark.parametrize("text", MANY.values(), ids=MANY)
def test_of_very_many_mistakes_a_hundred_are_looked_for_and_shown(
    whole: Whole, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = Config.problem

    def counted(config: Config, code: str, *args: Any, **rest: Any) -> Problem:
        made.append(code)
        return make(config, code, *args, **rest)

    monkeypatch.setattr(Config, "problem", counted)
    report = whole(text)
    assert len(report.problems) == 101
    assert report.problems[-1].code == "too-many-problems"
    assert len(made) < 220
    assert [layer.status for layer in report.layers].count("skipped") >= 1


def test_a_hundred_mistakes_are_all_shown(whole: Whole) -> None:
    report = whole(EXPERIMENT + "".join(f"lss{number}: 1\n" for number in range(100)))
    assert [problem.code for problem in report.problems] == ["unknown-key"] * 100
    assert all(layer.status != "skipped" for layer in report.layers)


@pytest.mark.parametrize(("doublings", "is_read"), [(12, True), (15, False)])
def test_a_tree_that_is_too_large_as_a_whole_is_not_walked(whole: Whole, doublings: int, is_read: bool) -> None:
    doubled = "".join(f"  x{n + 1}: ['${{params.x{n}}}', '${{params.x{n}}}']\n" for n in range(doublings))
    report = whole(f"{EXPERIMENT}params:\n  x0: 1\n{doubled}")
    assert [problem.code for problem in report.errors] == ([] if is_read else ["too-large"])
    assert [layer.status for layer in report.layers].count("skipped") == (0 if is_read else 3)
