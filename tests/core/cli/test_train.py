"""`ot run` trains from the command line and says where everything is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch  # noqa: F401 - these tests train

CONFIGURATION = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu}
model:
  sequential:
    inputs: [x]
    layers: [{_type_: nn.Linear, in_features: 3, out_features: 2}]
data: {_type_: data.random_regression, batch_size: 4, steps_per_epoch: 3, x_shape: [3], y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: SGD, kwargs: {lr: 0.1}}
trainer: {_type_: trainer.default, max_epochs: 2, log_every_n_steps: 1}
"""


@pytest.fixture
def small(tmp_path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(CONFIGURATION)
    return path


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["stage"] == "train"]


def test_a_run_names_its_parts_before_and_its_folder_after(small, ot) -> None:
    done = ot("run", small.name, "trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    before, _, after = done.stdout.partition("run folder: runs/small")
    assert before.startswith("small: cpu, fp32, 1 process, seed 0\n")
    assert "trainer.default" in before
    assert "ot-builtins" in before
    assert "finished after 3 steps, 1 epoch" in after
    assert (small.parent / "runs/small/checkpoints/step_00000003").is_dir()
    assert "runs/small/checkpoints/step_00000003" in after


def test_a_second_run_of_the_name_is_refused_until_it_is_resumed_or_overwritten(small, ot) -> None:
    assert ot("run", small.name, "trainer.max_epochs=1").returncode == 0
    refused = ot("run", small.name)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    assert "Traceback" not in refused.stderr
    resumed = ot("run", small.name, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    halves = losses(small.parent / "runs/small")
    assert ot("run", small.name, "--overwrite").returncode == 0
    assert losses(small.parent / "runs/small") == halves


def test_two_processes_see_the_losses_of_one(small, ot) -> None:
    alone = ot("run", small.name, "run.name=alone")
    together = ot("run", small.name, "run.name=together", "--nproc", "2")
    assert (alone.returncode, together.returncode) == (0, 0), together.stderr
    assert "2 processes" in together.stdout
    assert together.stdout.count("finished after") == 1
    runs = small.parent / "runs"
    assert losses(runs / "together") == pytest.approx(losses(runs / "alone"), rel=1e-5)


def test_a_file_that_asks_for_ddp_trains_on_one_process_as_without(small, ot) -> None:
    strategy = "+run.strategy={_type_: strategy.ddp, find_unused_parameters: true}"
    alone = ot("run", small.name, "run.name=alone")
    asked = ot("run", small.name, "run.name=asked", strategy)
    assert (alone.returncode, asked.returncode) == (0, 0), asked.stderr
    assert "strategy.ddp" in asked.stdout
    runs = small.parent / "runs"
    assert losses(runs / "asked") == losses(runs / "alone")


def test_a_dry_run_shows_shapes_and_writes_nothing(small, ot) -> None:
    done = ot("run", small.name, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "(4, 3)" in done.stdout
    assert "8 parameters, 8 trained" in done.stdout
    assert list(small.parent.glob("runs/*")) == []


def test_what_only_building_finds_wrong_is_shown_in_the_text(small, ot) -> None:
    graph = "{inputs: [x], modules: {train: LAYER}, steps: [{call: module:train, args: [$x], out: y}], outputs: [$y]}"
    layer = "{_type_: nn.Linear, in_features: 3, out_features: 2}"
    model = f"model: {{graph: {graph.replace('LAYER', layer)}}}\n"
    text = CONFIGURATION.partition("model:")[0] + model + CONFIGURATION[CONFIGURATION.index("data:") :]
    small.write_text(text)
    done = ot("run", small.name, "--dry-run")
    assert done.returncode == 2
    assert f"small.yaml:4:{model.index('train') + 1}" in done.stderr
    assert "^^^^^ did you mean 'train_'?" in done.stderr
    small.write_text(text.replace(model, "model: {config_path: net.yaml}\n"))
    (small.parent / "net.yaml").write_text(f"schema_version: 1\n{model}")
    done = ot("run", small.name, "--dry-run")
    assert f"net.yaml:2:{model.index('train') + 1}" in done.stderr
    assert "at model.config_path.model.graph.modules.train" in done.stderr


def test_a_wrong_configuration_is_refused_before_anything_is_written(small, ot) -> None:
    done = ot("run", small.name, "trainer.max_epochs=many")
    assert done.returncode == 2
    assert "max_epochs" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in ot("run", small.name, "trainer.max_epochs=many", "--traceback").stderr
    assert not (small.parent / "runs").exists()


def test_evaluating_what_is_no_run_is_one_message(small, ot) -> None:
    done = ot("eval", small.name)
    assert done.returncode == 2
    assert "is no run folder" in done.stderr
