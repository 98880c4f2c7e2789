"""What does not go together across sections is reported before anything is built."""

from __future__ import annotations

from typing import Any

import pytest

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


def codes(report: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.config_path) for problem in report.problems]


MODEL = "\n  sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 2]}]}\n"
TWO_MODELS = (
    " {components: {actor: {_type_: model.actor, dims: [1]}, critic: {_type_: model.actor, dims: [1], freeze: true}}}\n"
)
OPTIMIZER = "optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}"
SCHEDULER = "{_type_: sched_factory.torch, type: StepLR, kwargs: {step_size: 2}"
FACTORY = "{_type_: optim_factory.torch}"


@pytest.mark.parametrize(
    ("device", "precision", "expected"),
    [
        ("cpu", "fp16-mixed", [("precision-device", "run.precision")]),
        ("cpu", "bf16-mixed", []),
        ("auto", "fp16-mixed", []),
        ("cuda:3", "fp16-mixed", []),
        ("cpuu", "fp32", [("wrong-device", "run.device")]),
        ("cuda:x", "fp32", [("wrong-device", "run.device")]),
    ],
)
def test_precision_goes_with_the_device(check: Any, device: str, precision: str, expected: Any) -> None:
    run = f"name: test, device: '{device}', precision: {precision}"
    assert codes(check(EXPERIMENT.replace("name: test", run))) == expected


@pytest.mark.parametrize(
    ("device", "meant"), [("gpu", "cuda"), ("GPU:1", "cuda:1"), ("cpuu", "cpu"), ("tpu", "cpu"), ("x", None)]
)
def test_a_device_that_is_not_there_is_told_what_it_is_called_here(check: Any, device: str, meant: Any) -> None:
    report = check(EXPERIMENT.replace("name: test", f"name: test, device: '{device}'"))
    assert [problem.suggestion for problem in report.problems] == [meant]


@pytest.mark.parametrize("key", ["time_limit", "process_timeout"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [("90", []), ("3:50:00", []), ("1-0", []), ("4h", ["wrong-duration"]), ("0", ["wrong-duration"]),
     ("true", ["wrong-type"]), ("1.5", ["wrong-type"])],
)  # fmt: skip
def test_durations_are_written_as_slurm_writes_them(check: Any, key: str, value: str, expected: list[str]) -> None:
    report = check(EXPERIMENT.replace("name: test", f"name: test, {key}: {value}"))
    assert codes(report) == [(code, f"run.{key}") for code in expected]


@pytest.mark.parametrize("section", ["io", "loss", "optimizer", "data"])
def test_supervised_learning_needs_its_sections(check: Any, section: str) -> None:
    lines = [line for line in EXPERIMENT.splitlines() if not line.startswith(f"{section}:")]
    report = check("\n".join(lines))
    assert codes(report) == [("missing-section", section)]


def test_an_algorithm_needs_no_io_and_no_loss(check: Any) -> None:
    lines = [line for line in EXPERIMENT.splitlines() if not line.startswith(("io:", "loss:"))]
    assert check("\n".join([*lines, "algorithm: {_type_: algo.actor_critic}"])).problems == ()


def test_a_scheduler_on_a_metric_names_the_metric(check: Any) -> None:
    text = f"{EXPERIMENT}scheduler: {SCHEDULER}, interval: metric"
    assert codes(check(text + "}\n")) == [("missing-monitor", "scheduler.interval")]
    assert check(text + ", monitor: val/loss}\n").problems == ()


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ("model_kwargs: {x: obs}", []),
        ("model_args: [obs]", []),
        ("model_kwargs: {y: obs}", [("model-inputs", "io.model_kwargs.y")]),
        ("model_kwargs: {}", [("model-inputs", "io._type_")]),
        ("model_args: [obs], model_kwargs: {x: obs}", [("model-inputs", "io.model_kwargs.x")]),
    ],
)
def test_io_gives_the_model_what_it_is_called_with(check: Any, mapping: str, expected: Any) -> None:
    assert codes(check(EXPERIMENT.replace("model_kwargs: {x: obs}", mapping))) == expected


def test_inputs_that_nobody_knows_are_not_checked(check: Any) -> None:
    text = EXPERIMENT.replace(MODEL, " {_type_: block.mlp, dims: [4, 2]}\n").replace("{x: obs}", "{anything: obs}")
    assert check(text).problems == ()


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (f"{{actor: {FACTORY}}}", []),
        (FACTORY, []),
        (f"{{acter: {FACTORY}}}", [("unknown-model-component", "optimizer.acter")]),
        (f"{{critic: {FACTORY}}}", [("frozen-optimizer", "optimizer.critic")]),
    ],
)
def test_optimizers_have_the_names_of_models(check: Any, optimizer: str, expected: Any) -> None:
    text = EXPERIMENT.replace(MODEL, TWO_MODELS).replace(OPTIMIZER, f"optimizer: {optimizer}")
    report = check(text)
    assert codes(report) == expected
    fixes = [problem.fix for problem in report.problems if problem.code == "frozen-optimizer"]
    assert all(fix == "take out optimizer.critic, or set model.components.critic.freeze: false" for fix in fixes)


def test_schedulers_have_the_names_of_optimizers(check: Any) -> None:
    text = EXPERIMENT.replace(MODEL, TWO_MODELS)
    named = text.replace(OPTIMIZER, f"optimizer: {{actor: {FACTORY}}}")
    assert check(f"{named}scheduler: {{actor: {SCHEDULER}}}}}\n").problems == ()
    assert codes(check(f"{named}scheduler: {{critic: {SCHEDULER}}}}}\n")) == [("unknown-optimizer", "scheduler.critic")]
    report = check(f"{text}scheduler: {{actor: {SCHEDULER}}}}}\n")
    assert codes(report) == [("scheduler-names", "scheduler")]
    assert report.problems[0].fix == "scheduler: {_type_: sched_factory.torch, ...}"


def test_a_field_is_normalized_in_a_known_way_or_as_another_is(check: Any) -> None:
    good = "normalize: {obs: mean_std, next_obs: obs, action: none}\n"
    assert check(EXPERIMENT + good).problems == ()
    report = check(EXPERIMENT + "normalize: {obs: meanstd, next_obs: action, action: none}\n")
    assert codes(report) == [("wrong-normalization", "normalize.obs"), ("wrong-normalization", "normalize.next_obs")]
    assert report.problems[0].suggestion == "mean_std"


def test_a_scheduler_needs_an_optimizer(check: Any) -> None:
    algorithm = EXPERIMENT.replace(OPTIMIZER, "algorithm: {_type_: algo.actor_critic}")
    assert check(algorithm).problems == ()
    assert codes(check(f"{algorithm}scheduler: {SCHEDULER}}}\n")) == [("missing-section", "scheduler")]


@pytest.mark.parametrize(
    ("resume_from", "expected"),
    [
        ("auto", []),
        ("best", []),
        ("step_00000010", []),
        ("runs/test/checkpoints/step_00000010", []),
        ("step_00000011", [("missing-file", "run.resume_from")]),
        ("runs/other", [("missing-file", "run.resume_from")]),
    ],
)
def test_a_checkpoint_to_start_from_is_there(check: Any, tmp_path: Any, resume_from: str, expected: Any) -> None:
    (tmp_path / "runs/test/checkpoints/step_00000010").mkdir(parents=True)
    assert codes(check(EXPERIMENT.replace("name: test", f"name: test, resume_from: {resume_from}"))) == expected


def test_weights_to_start_from_are_there(check: Any, tmp_path: Any) -> None:
    (tmp_path / "actor.safetensors").touch()
    components = TWO_MODELS.replace("freeze: true", "freeze: true, weights: actor.safetensors")
    text = EXPERIMENT.replace(MODEL, components).replace(OPTIMIZER, f"optimizer: {{actor: {FACTORY}}}")
    assert check(text).problems == ()
    (problem,) = check(text.replace("actor.safetensors", "critic.safetensors")).problems
    assert (problem.code, problem.config_path) == ("missing-file", "model.components.critic.weights")
    assert problem.notes == (f"looked for {tmp_path / 'critic.safetensors'}",)


def test_an_initialisation_is_one_that_there_is(check: Any) -> None:
    components = TWO_MODELS.replace("freeze: true", "freeze: true, init: orthogonl")
    text = EXPERIMENT.replace(MODEL, components).replace(OPTIMIZER, f"optimizer: {{actor: {FACTORY}}}")
    (problem,) = check(text).problems
    assert (problem.code, problem.config_path) == ("wrong-type", "model.components.critic.init")
    assert problem.suggestion == "orthogonal"


@pytest.mark.parametrize(
    "name", ["../../../tmp/owned", "/tmp/owned", "a/b", "..", ".", "a\\0b", "", "~", "-x", "x" * 300]
)
def test_a_run_is_named_as_one_folder_can_be(check: Any, name: str) -> None:
    [problem] = check(EXPERIMENT, f'run.name="{name}"').problems
    assert (problem.code, problem.config_path) == ("wrong-name", "run.name")
    assert problem.fix is not None
    assert len(problem.message) < 150


@pytest.mark.parametrize("name", ["a", "2026-01-01_lr=0.1", "träning 2", "v1.0"])
def test_other_names_of_runs_are_as_good(check: Any, name: str) -> None:
    assert check(EXPERIMENT, f'run.name="{name}"').problems == ()


def test_a_model_component_is_named_as_its_file_in_a_checkpoint_can_be(check: Any) -> None:
    model = '{components: {"a/b": {_type_: block.mlp, dims: [1, 2]}, c: {_type_: block.mlp, dims: [1, 2]}}}'
    found = [(problem.code, problem.config_path) for problem in check(EXPERIMENT, f"model={model}").problems]
    assert ("wrong-name", "model.components.a/b") in found
    assert ("wrong-name", "model.components.c") not in found
