"""A plan holds the entry of every component that a run uses, by the path where it is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from offline_trainer_core.catalogue import Entry, Registry
from offline_trainer_core.config import resolve_config
from offline_trainer_core.errors import ConfigError
from offline_trainer_core.plan import Plan, make_plan, plan_difference


def keys(plan: Plan) -> dict[str, str]:
    return {path: entry.key for path, entry in plan.entries.items()}


def test_every_component_is_planned_named_or_implied(check: Any) -> None:
    assert keys(check().plan) == {
        "run.strategy.single": "strategy.single",
        "run.strategy.ddp": "strategy.ddp",
        "run.launcher": "launcher.local",
        "model.sequential": "frontend.sequential",
        "model.sequential.layers[0]": "block.mlp",
        "data": "data.tensors",
        "io": "io.mapping",
        "loss": "loss.torch",
        "loss.fn": "nn.MSELoss",
        "algorithm": "algo.supervised",
        "trainer": "trainer.default",
        "optimizer": "optim_factory.torch",
        "optimizer.type": "optim_cls.AdamW",
    }


def test_named_sections_take_the_place_of_what_is_implied(check: Any) -> None:
    plan = check(
        """
        schema_version: 1
        run: {name: a, out_dir: b, strategy: ddp, launcher: {_type_: launcher.torchrun}}
        model: {components: {actor: {_type_: model.actor, dims: [1, 2], freeze: false, init: orthogonal}}}
        data: {_type_: data.tensors, batch_size: 8}
        algorithm: {_type_: algo.actor_critic}
        optimizer: {actor: {_type_: optim_factory.torch}}
        scheduler: {actor: {_type_: sched_factory.torch, type: StepLR, kwargs: {step_size: 3}}}
        metrics: [{_type_: metric.error}]
        eval: {easy: {_type_: eval.gym, env: a}, hard: {_type_: eval.gym, env: b}}
        plugins: [timing]
        """
    )
    assert plan.errors == ()
    found = keys(plan.plan)
    assert found["run.strategy"] == "strategy.ddp"
    assert found["run.launcher"] == "launcher.torchrun"
    assert found["algorithm"] == "algo.actor_critic"
    assert found["model.components.actor"] == "model.actor"
    assert found["optimizer.actor.type"] == "optim_cls.AdamW"
    assert found["scheduler.actor.type"] == "sched_cls.StepLR"
    assert found["metrics[0]"] == "metric.error"
    assert found["eval.hard"] == "eval.gym"
    assert found["plugins[0]"] == "timing"
    assert not any(path.startswith("run.strategy.") for path in found)


def test_operations_that_only_a_reader_sees_are_planned(check: Any) -> None:
    report = check(
        """
        schema_version: 1
        run: {name: a, out_dir: b}
        model: {graph: {inputs: [x], modules: {fc: {_type_: block.mlp, dims: [1, 2]}}, steps: [{call: add}]}}
        data: {_type_: data.tensors, batch_size: 8}
        algorithm: {_type_: algo.actor_critic}
        """
    )
    assert keys(report.plan)["model.graph.steps[0].call"] == "op.add"
    assert keys(report.plan)["model.graph.modules.fc"] == "block.mlp"


def test_a_model_file_is_planned_below_the_path_that_names_it(check: Any, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/mlp.yaml").write_text(
        "schema_version: 1\nmodel: {sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 2]}]}}\n"
    )
    report = check(CONFIG_PATH)
    assert report.errors == ()
    assert keys(report.plan)["model.config_path.model.sequential.layers[0]"] == "block.mlp"
    assert list(report.plan.model_files) == ["model.config_path"]


def test_a_key_of_a_model_file_may_need_quotes(check: Any, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/mlp.yaml").write_text('schema_version: 1\n"mo del": {}\n')
    (problem,) = check(CONFIG_PATH).problems
    assert (problem.config_path, problem.suggestion) == ('model.config_path["mo del"]', "model")
    assert problem.location == (str(tmp_path / "models/mlp.yaml"), 2, 1)


CONFIG_PATH = """
schema_version: 1
run: {name: a, out_dir: b}
model: {config_path: models/mlp.yaml}
data: {_type_: data.tensors, batch_size: 8}
algorithm: {_type_: algo.actor_critic}
"""


def test_make_plan_raises_every_name_that_is_wrong(parts: Registry) -> None:
    config = resolve_config(
        {
            "schema_version": 1,
            "run": {"name": "a", "out_dir": "b"},
            "model": {"_type_": "block.mpl"},
            "data": {"_type_": "data.tensor"},
            "algorithm": {"_type_": "algo.actor_critic"},
        }
    )
    with pytest.raises(ConfigError) as caught:
        make_plan(config, parts)
    assert [problem.suggestion for problem in caught.value.problems] == ["block.mlp", "data.tensors"]


def test_a_plan_is_plain_data_with_a_stable_digest(check: Any) -> None:
    one, two = check().plan, check().plan
    assert json.loads(json.dumps(one.to_json())) == one.to_json()
    assert one.to_json()["entries"]["loss"] == {
        "key": "loss.torch",
        "distribution": "ot-parts",
        "version": "0.1.0",
        "reference": "plan_parts:Loss",
    }
    assert one.digest() == two.digest()
    assert one.distributions() == {"ot-parts": "0.1.0"}


def test_another_version_is_another_plan_and_the_difference_is_said() -> None:
    ours = Plan({"loss": Entry("loss.torch", "a:B", "ot-a", "1.0")})
    theirs = Plan({"loss": Entry("loss.torch", "a:B", "ot-a", "2.0")})
    assert ours.digest() != theirs.digest()
    assert plan_difference(ours.to_json(), ours.to_json()) == ()
    assert plan_difference(ours.to_json(), theirs.to_json()) == (
        "loss: loss.torch ot-a 1.0 a:B, not loss.torch ot-a 2.0 a:B",
        "ot-a: 1.0, not 2.0",
    )


def test_components_that_differ_in_one_place_only_say_so() -> None:
    ours, theirs = Plan({}), Plan({"loss": Entry("loss.torch", "a:B", origin="local")})
    assert plan_difference(ours.to_json(), theirs.to_json()) == ("loss: absent, not loss.torch local a:B",)
