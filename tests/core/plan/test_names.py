"""Names that have no component, or the wrong one, are reported where they stand."""

from __future__ import annotations

from typing import Any

import pytest

from offline_trainer_core.catalogue import Entry, LeftOut, Registry
from offline_trainer_core.installed import BrokenDistribution

EXPERIMENT = """
schema_version: 1
run: {name: test, out_dir: runs}
model:
  sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 2]}]}
data: {_type_: data.tensors, batch_size: 8}
io: {_type_: io.mapping, model_kwargs: {x: obs}, targets: {y: action}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}
"""


def only(report: Any) -> Any:
    problems = report.problems
    assert len(problems) == 1, [problem.render() for problem in problems]
    return problems[0]


def test_a_right_configuration_has_no_problem_and_passes_every_layer(check: Any) -> None:
    report = check()
    assert report.problems == ()
    assert [layer.status for layer in report.layers] == ["passed"] * 4


def test_a_misspelled_key_is_shown_with_what_was_meant_and_what_is_known(check: Any) -> None:
    problem = only(check(EXPERIMENT.replace("loss.torch", "loss.trch")))
    assert (problem.code, problem.config_path) == ("unknown-component", "loss._type_")
    assert problem.suggestion == "loss.torch"
    assert problem.allowed == "loss.opaque, loss.open, loss.torch"
    lines = problem.render().splitlines()
    caret = next(line for line in lines if "^" in line)
    source = next(line for line in lines if "loss.trch" in line and "|" in line)
    assert source[caret.index("^") :].startswith("loss.trch")


def test_broken_metadata_is_shown_with_an_unknown_key(check: Any, parts: Registry) -> None:
    registry = Registry(parts.entries(), readers=parts.readers, broken=[BrokenDistribution("ot-bad", "no METADATA")])
    problem = only(check(EXPERIMENT.replace("loss.torch", "loss.zzz"), registry=registry))
    assert "ot-bad: no METADATA" in problem.notes


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("loss: {_type_: cb.progress}", "loss._type_", "loss.*"),
        ("loss: {_type_: optim_factory.torch, type: nothing, odd: 1}", "loss._type_", "loss.*"),
        ("trainer: {_type_: cb.progress}", "trainer._type_", "trainer.*"),
        ("callbacks: [{_type_: log.csv}]", "callbacks[0]._type_", "cb.*"),
        ("eval: {a: {_type_: log.csv}}", "eval.a._type_", "eval.*"),
    ],
)
def test_a_component_of_another_kind_does_not_fit_a_slot(check: Any, text: str, place: str, wanted: str) -> None:
    base = (
        EXPERIMENT.replace("loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}\n", "")
        if "loss:" in text
        else EXPERIMENT
    )
    problem = only(check(f"{base}{text}\n"))
    assert (problem.code, problem.config_path) == ("wrong-kind", place)
    assert wanted in problem.message


def test_a_model_may_be_a_block_but_no_loss(check: Any) -> None:
    model = "model:\n  sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 2]}]}\n"
    assert check(EXPERIMENT.replace(model, "model: {_type_: block.mlp, dims: [4, 2]}\n")).problems == ()
    assert only(check(EXPERIMENT.replace(model, "model: {_type_: loss.open}\n"))).code == "wrong-kind"


def test_a_collision_is_decided_by_naming_the_distribution(check: Any, parts: Registry) -> None:
    twin = Entry("loss.torch", "plan_parts:Loss", "ot-other", "2.0")
    registry = Registry([*parts.entries(), twin], readers=parts.readers)
    problem = only(check(registry=registry))
    assert problem.code == "ambiguous-component"
    assert "ot-other 2.0 and ot-parts 0.1.0" in problem.message
    assert problem.fix == "write loss.torch@ot-other or loss.torch@ot-parts"
    report = check(EXPERIMENT.replace("loss.torch", "loss.torch@ot-other"), registry=registry)
    assert report.problems == ()
    assert report.plan.entries["loss"].distribution == "ot-other"


def test_a_collision_of_keys_that_nothing_uses_is_no_problem(check: Any, parts: Registry) -> None:
    twin = Entry("loss.open", "plan_parts:Loss", "ot-other", "2.0")
    assert check(registry=Registry([*parts.entries(), twin], readers=parts.readers)).problems == ()


def test_only_allowed_distributions_may_provide_components(check: Any) -> None:
    allowed = EXPERIMENT + "settings: {allowed_distributions: [OT_Parts]}\n"
    assert check(allowed).problems == ()
    report = check(allowed.replace("OT_Parts", "ot-other"))
    assert {problem.code for problem in report.problems} == {"distribution-not-allowed"}


def test_what_an_installed_registry_left_out_is_said_so(check: Any, parts: Registry) -> None:
    text = EXPERIMENT + "settings: {allowed_distributions: [ot-other]}\n"
    setting = "settings.allowed_distributions"
    registry = Registry([], left_out=[LeftOut(entry, (setting,)) for entry in parts.entries()])
    report = check(text, registry=registry)
    assert {problem.code for problem in report.problems} == {"distribution-not-allowed"}
    problems = {problem.config_path: problem for problem in report.problems}
    assert problems["loss._type_"].message == f"'loss.torch' comes from ot-parts 0.1.0, which is not in {setting}"
    assert problems["loss._type_"].fix == f"add ot-parts to {setting}"
    assert "'frontend.sequential'" in problems["model.sequential"].message
    assert problems["trainer"].message.startswith("the section 'trainer' is absent, and its default 'trainer.default'")


def test_the_type_of_an_optimizer_factory_names_a_class(check: Any) -> None:
    problem = only(check(EXPERIMENT.replace("type: AdamW", "type: adamw")))
    assert (problem.config_path, problem.suggestion, problem.allowed) == ("optimizer.type", "AdamW", "AdamW")


def test_a_missing_module_is_found_without_importing(check: Any, parts: Registry) -> None:
    gone = Entry("loss.gone", "no_such_package.losses:Gone", "ot-gone", "1.0")
    registry = Registry([*parts.entries(), gone], readers=parts.readers)
    problem = only(check(EXPERIMENT.replace("loss.torch, fn: {_type_: nn.MSELoss}", "loss.gone"), registry=registry))
    assert problem.code == "missing-module"
    assert problem.fix == "pip install --force-reinstall ot-gone"


def test_what_is_implied_but_not_installed_is_said_so(check: Any, parts: Registry) -> None:
    registry = Registry([e for e in parts.entries() if e.key != "trainer.default"], readers=parts.readers)
    problem = only(check(registry=registry))
    assert problem.config_path == "trainer"
    assert "'trainer' is absent, and its default 'trainer.default' is not installed" in problem.message


def test_a_run_without_ddp_installed_does_without(check: Any, parts: Registry) -> None:
    registry = Registry([e for e in parts.entries() if e.key != "strategy.ddp"], readers=parts.readers)
    assert check(registry=registry).problems == ()


@pytest.mark.parametrize(("kind", "typed", "meant"), [("strategy", "dp", "ddp"), ("launcher", "locl", "local")])
def test_strategy_and_launcher_may_be_names(check: Any, kind: str, typed: str, meant: str) -> None:
    problem = only(check(EXPERIMENT, f"+run.{kind}={typed}"))
    assert (problem.code, problem.config_path, problem.suggestion) == ("unknown-component", f"run.{kind}", meant)
    assert check(EXPERIMENT, f"+run.{kind}={kind}.{meant}").problems == ()


def test_an_unknown_plugin_names_those_that_are_installed(check: Any) -> None:
    problem = only(check(EXPERIMENT, "+plugins=[timming]"))
    assert (problem.code, problem.config_path, problem.suggestion) == ("unknown-plugin", "plugins[0]", "timing")


def test_problems_of_a_reader_stand_at_their_place(check: Any) -> None:
    problem = only(check(EXPERIMENT.replace("inputs: [x],", "inputs: [x], bad: 1, outputs: [z],")))
    assert (problem.code, problem.config_path) == ("missing-key", "model.sequential.outputs")
    assert problem.location is not None


def test_a_place_that_a_reader_misspells_does_not_keep_its_problem_from_the_report(check: Any) -> None:
    text = EXPERIMENT.replace("inputs: [x],", 'inputs: [x], "np.exe, x": 1,')
    problem = only(check(text))
    assert (problem.code, problem.config_path) == ("unknown-key", 'model.sequential[".np.exe, x"]')
    assert problem.location == only(check(text.replace("np.exe, x", "np.exe"))).location


def test_a_component_named_at_a_place_that_is_no_path_takes_part(check: Any) -> None:
    text = EXPERIMENT.replace("inputs: [x],", 'inputs: [x], steps: [{call: add, where: "a b"}],')
    entries = check(text).plan.entries
    assert entries['model.sequential["a b"]'].key == "op.add"
    assert entries["model.sequential"].key == "frontend.sequential"


def test_a_reader_that_fails_is_named(check: Any) -> None:
    problem = only(check(EXPERIMENT.replace("inputs: [x],", "inputs: [x], crash: 1,")))
    assert problem.code == "reader-failed"
    assert "frontend.sequential" in problem.message
    assert "reader bug" in problem.message


def test_an_unknown_operation_stands_at_its_call(check: Any) -> None:
    problem = only(check(EXPERIMENT.replace("inputs: [x],", "inputs: [x], steps: [{call: ad}],")))
    assert (problem.config_path, problem.suggestion) == ("model.sequential.steps[0].call", "op.add")


@pytest.mark.parametrize("target", ["os", "os.", ".path", "os path.join", "x" * 100_000])
def test_a_target_names_an_attribute_of_a_module(check: Any, target: str) -> None:
    allowed = "settings: {allow_target: true, allowed_import_prefixes: [os]}\n"
    text = EXPERIMENT.replace("{_type_: loss.torch,", f"{{_target_: '{target}',") + allowed
    problem = next(problem for problem in check(text).problems if problem.config_path == "loss._target_")
    assert (problem.code, problem.allowed) == ("target-form", "module.attribute")
    assert len(problem.message) < 150
    assert not any(p.code == "target-form" for p in check(text.replace(f"'{target}'", "os.getcwd")).problems)
