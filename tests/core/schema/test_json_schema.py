"""The schema lets through what is right, marks what is wrong, and leaves open what another file may settle."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from offline_trainer_core.catalogue import Entry, Registry, installed_registry
from offline_trainer_core.plan.sections import SECTIONS
from offline_trainer_core.schema import json_schema

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
NAMES = ("guide", "experiment", "models", "running", "runs", "deploying")
PAGES = ["README.md", *(f"docs/{name}.md" for name in NAMES)]
BLOCK = re.compile(r"^```yaml\n(# file: .*?)^```$", re.DOTALL | re.MULTILINE)


def mounts() -> dict[Path, str]:
    """Return the sections under which examples put other files: `defaults: [{optimizer: parts/adamw.yaml}]`."""
    found = {}
    for file in EXAMPLES:
        for section, name in re.findall(r"^  - (\w+): (\S+\.yaml)$", file.read_text(), re.MULTILINE):
            found[file.parent / name] = section
    return found


def test_the_schema_is_a_valid_schema(schema: dict[str, Any]) -> None:
    Draft7Validator.check_schema(schema)
    assert schema["$schema"].startswith("http://json-schema.org/draft-07/")


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    def references(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*(references(value) for value in part.values()))
        return set().union(*map(references, part)) if isinstance(part, list) else set()

    def find(reference: str) -> Any:
        found = schema
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return found

    assert len(found := references(schema)) > 300
    assert all(isinstance(find(reference), dict) for reference in found)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: str(file.relative_to(ROOT / "examples")))
def test_an_example_has_no_mark(file: Path, marks: Any, schema: dict[str, Any]) -> None:
    section = mounts().get(file)
    whole = schema if section is None else json_schema(installed_registry(), section)
    assert marks(file.read_text(encoding="utf-8"), whole) == []


@pytest.mark.parametrize("page", PAGES)
def test_the_files_of_a_page_have_no_mark(page: str, marks: Any, written: Any) -> None:
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    experiments = [block for block in blocks if SECTIONS.keys() & written(block).keys()]
    assert experiments
    assert [(block.partition("\n")[0], found) for block in experiments if (found := marks(block))] == []


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ("trainr: {_type_: trainer.default}", ["trainr"]),
        ("trainer: {_type_: trainer.default, max_step: 3}", ["trainer.max_step"]),
        ("trainer: {_type_: trainer.default, max_steps: many}", ["trainer.max_steps"]),
        ("trainer: {_type_: trainer.default, max_steps: 0}", ["trainer.max_steps"]),
        ("trainer: {_type_: trainer.default, on_nonfinite: rase}", ["trainer.on_nonfinite"]),
        ("trainer: {_type_: trainer.defalt}", ["trainer._type_"]),
        ("trainer: {_type_: loss.torch}", ["trainer._type_"]),
        ("trainer: {_tpye_: trainer.default}", ["trainer"]),
        ("trainer: trainer.default", ["trainer"]),
        ("callbacks: {_type_: cb.ema}", ["callbacks"]),
        ("callbacks: [{_type_: cb.ema, decya: 0.9}]", ["callbacks.0.decya"]),
        ("run: {nmae: x}", ["run.nmae"]),
        ("run: {strategy: dpp}", ["run.strategy"]),
        ("run: {precision: fp8}", ["run.precision"]),
        ("run: {strategy: {_type_: strategy.ddp, bucket_acp_mb: 3}}", ["run.strategy.bucket_acp_mb"]),
        ("loss: {_type_: loss.torch, fn: {_type_: block.mlp, dims: [1], dropuot: 0}}", ["loss.fn.dropuot"]),
        ("optimizer: {_type_: optim_factory.torch, type: AdamWW}", ["optimizer.type"]),
        ("optimizer: {actor: {_type_: optim_factory.torch, tpye: Adam}}", ["optimizer.actor.tpye"]),
        ("model: {sequental: {inputs: [x]}}", ["model.sequental"]),
        ("model: {sequential: {layesr: []}}", ["model.sequential.layesr"]),
        ("model: {graph: {steps: [{cal: op:add}]}}", ["model.graph.steps.0.cal"]),
        ("model: {graph: {steps: [{call: op:ad}]}}", ["model.graph.steps.0.call"]),
        ("model: {components: {actor: {_type_: block.mlp, frezee: true}}}", ["model.components.actor.frezee"]),
        ("model: {config: {model: {sequential: {}}, trainer: {}}}", ["model.config.trainer"]),
    ],
)
def test_a_slip_is_marked_where_it_stands(wrong: str, where: list[str], marks: Any) -> None:
    assert marks(wrong) == where


@pytest.mark.parametrize(
    "right",
    [
        "trainer: {_type_: trainer.default, max_steps: '${params.steps}'}\nparams: {steps: 3}",
        "trainer: ${params.trainer}",
        "trainer: {_merge_: replace, _value_: {_type_: trainer.default}}",
        "callbacks: {_merge_: append, _value_: [{_type_: cb.ema}, '${params.callback}']}",
        "callbacks: {_merge_: keyed, key: _type_, _value_: [{_type_: cb.ema, decay: 0.9}]}",
        "optimizer: {kwargs: {_merge_: replace, _value_: {lr: 0.1}}}",
        "templates: {fast: {max_steps: 3}}\ntrainer: {_template_: fast}",
        "defaults: [base.yaml, {optimizer: adamw.yaml}]\ntrainer: {max_steps: 3}",
        "x-mine: {_type_: anything.at.all}\nparams: [1, 2]",
        "trainer: {_type_: trainer.default@ot-builtins, max_steps: 3}",
        "scheduler: null\nnormalize: null",
        "settings: {allowed_import_prefixes: [mine]}\nimports: [mine]\nloss: {_type_: loss.mine, scale: 3}",
        "loss: {_type_: loss.torch, fn: {_type_: nn.HuberLoss}}",
        "model: {config_path: net.yaml}",
        "model: {sequential: {_merge_: replace, _value_: {inputs: [x]}}}",
        "model: {sequential: '${params.net}'}",
        "model: {components: '${params.nets}'}",
        "schema_version: 1\nmodel: {sequential: {inputs: [x], layers: []}}",
        "model: {components: {actor: {_type_: block.mlp, dims: [null, 3], freeze: true}}}",
    ],
)
def test_what_the_language_settles_later_has_no_mark(right: str, marks: Any) -> None:
    assert marks(right) == []


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ("callbacks: {_merge_: append, _value_: [{_type_: cb.ema, decya: 0.9}]}", ["callbacks._value_.0.decya"]),
        ("callbacks: {_merge_: add, _value_: []}", ["callbacks._merge_"]),
        ("templates: {fast: {_type_: trainer.default, max_step: 3}}", ["templates.fast.max_step"]),
        ("trainer: {_template_: fast, _type_: trainer.default, max_step: 3}", ["trainer.max_step"]),
        ("defaults: [base.yaml]\ntrainer: {_type_: trainer.default, max_step: 3}", ["trainer.max_step"]),
        ("imports: [mine]\nloss: {_type_: metric.mine}", ["loss._type_"]),
    ],
)
def test_a_slip_is_marked_there_too(wrong: str, where: list[str], marks: Any) -> None:
    assert marks(wrong) == where


WHOLE = "run: {name: a, out_dir: b}\nmodel: {config_path: net.yaml}\ndata: {_type_: data.tensors%s}"


def test_a_missing_argument_is_marked_in_a_whole_experiment_only(marks: Any) -> None:
    assert marks(WHOLE % "") == ["data"]
    assert marks(WHOLE % ", _template_: small") == []
    assert marks("defaults: [base.yaml]\n" + WHOLE % "") == []
    assert marks("data: {_type_: data.tensors}") == []


def test_a_missing_key_of_run_is_marked_in_a_whole_experiment_only(marks: Any) -> None:
    assert marks("run: {name: a}\nmodel: {config_path: net.yaml}") == ["run"]
    assert marks("run: {name: a}") == []


def test_a_section_of_its_own_takes_what_stands_under_it(marks: Any) -> None:
    optimizer = json_schema(installed_registry(), "optimizer")
    Draft7Validator.check_schema(optimizer)
    assert marks("_type_: optim_factory.torch\ntype: AdamW", optimizer) == []
    assert marks("_type_: optim_factory.torch\ntyp: AdamW", optimizer) == ["typ"]


def test_the_reserved_words_are_free_where_the_settings_say_so(marks: Any) -> None:
    assert marks("trainer: {_mine_: 1}") == ["trainer"]
    assert marks("settings: {strict: false}\ntrainer: {_mine_: 1}") == []


def test_of_two_distributions_with_one_key_the_name_must_say_which(marks: Any) -> None:
    entries = [Entry("trainer.loop", "ot_builtins.trainer:DefaultTrainer", name, "1.0") for name in ("ot-a", "ot-b")]
    schema = json_schema(Registry(entries))
    Draft7Validator.check_schema(schema)
    assert marks("trainer: {_type_: trainer.loop}", schema) == ["trainer._type_"]
    assert marks("trainer: {_type_: trainer.loop@ot-b}", schema) == []
    assert marks("trainer: {_type_: trainer.loop@ot-b, max_step: 3}", schema) == ["trainer.max_step"]


def test_a_component_whose_source_cannot_be_read_takes_anything(marks: Any) -> None:
    schema = json_schema(Registry([Entry("loss.compiled", "no_such_module:Loss", "ot-a", "1.0")]))
    assert marks("loss: {_type_: loss.compiled, whatever: 3}", schema) == []


def test_with_nothing_installed_the_schema_still_stands(marks: Any) -> None:
    schema = json_schema(Registry())
    Draft7Validator.check_schema(schema)
    assert marks("run: {name: a, out_dir: b}\nmodel: {config_path: x}", schema) == []
    assert marks("trainer: {_type_: trainer.default}", schema) == ["trainer._type_"]


def test_a_frontend_says_what_stands_under_its_name(marks: Any) -> None:
    text = "model: {widths: {sizes: [1, 2], activation: GELU, depth: 3}}"
    assert marks(text) == ["model.widths.depth"]
    silent = json_schema(Registry([Entry("frontend.widths", "ot_example_plugins.frontend:widths", "ot-a", "1.0")]))
    assert marks(text, silent) == []


def test_two_calls_give_the_same_schema(schema: dict[str, Any]) -> None:
    assert list(json_schema(installed_registry())["definitions"]) == list(schema["definitions"])
