"""A plugin that a stranger built lives beside ours: found, checked, run, upgraded, collided with, removed."""

import json
from pathlib import Path

import pytest
import torch  # noqa: F401 - the runs need it

pytestmark = pytest.mark.slow
KEY = "loss.acme.constant"
LOSS = """
from offline_trainer_core import LossOutput


class Constant:
    def __init__(self, value: float = {value}):
        self.value = value

    def __call__(self, *, outputs, targets, batch, stage):
        return LossOutput(0 * outputs.mean() + self.value)
"""
TRAP = """
from pathlib import Path

Path({marker!r}).touch()
print("the trap was imported")
raise RuntimeError("the trap was imported")
"""
CONFIG = """\
schema_version: 1
run: {{name: trial, out_dir: runs, device: cpu}}
data: {{_type_: data.random_regression, batch_size: 4, steps_per_epoch: 2, x_shape: [3], y_shape: [2]}}
model: {{sequential: {{inputs: [x], layers: [{{_type_: nn.Linear, in_features: 3, out_features: 2}}]}}}}
io: {{_type_: io.mapping, model_kwargs: {{x: x}}, targets: {{y: y}}}}
loss: {loss}
optimizer: {{_type_: optim_factory.torch, type: SGD, kwargs: {{lr: 0.1}}}}
trainer: {{_type_: trainer.default, max_steps: 2, log_every_n_steps: 1}}
"""
OURS = "{_type_: loss.torch, fn: MSELoss}"


@pytest.fixture
def config(tmp_path):
    """Return a function that writes a configuration with a loss, and returns its path."""

    def write(loss: str) -> Path:
        path = tmp_path / "trial.yaml"
        path.write_text(CONFIG.format(loss=loss))
        return path

    return write


def losses_in(environment):
    listed = environment.ot("components", "--kind", "loss", "--json")
    assert listed.returncode == 0, listed.stderr
    return {(entry["key"], entry["distribution"], entry["version"]) for entry in json.loads(listed.stdout)}


def trained(environment, config):
    """Run a configuration and return its logged losses and its plan."""
    done = environment.ot("run", config, "--overwrite", cwd=config.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    record = config.parent / "runs" / "trial"
    lines = [json.loads(line) for line in (record / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["stage"] == "train"], (record / "plan.json").read_text()


def test_a_fresh_environment_knows_only_what_is_installed_in_it(environment):
    assert {distribution for _, distribution, _ in losses_in(environment)} == {"ot-builtins"}


def test_a_plugin_is_unknown_before_it_is_installed(environment, config):
    checked = environment.ot("check", config(f"{{_type_: {KEY}}}"))
    assert checked.returncode == 2
    assert KEY in checked.stdout + checked.stderr
    assert environment.ot("check", config(OURS)).returncode == 0


def test_a_plugin_is_found_without_being_imported(environment, author, tmp_path):
    author.publish("ot-acme", "1.0", {KEY: "Constant"}, TRAP.format(marker=str(tmp_path / "imported")))
    assert (KEY, "ot-acme", "1.0") in losses_in(environment)
    described = environment.ot("components")
    assert "ot-acme 1.0" in described.stdout
    assert "the trap was imported" not in described.stdout + described.stderr
    assert not (tmp_path / "imported").exists()


def test_the_arguments_of_a_plugin_are_checked(environment, author, config):
    author.publish("ot-acme", "1.0", {KEY: "Constant"}, LOSS.format(value=1.5))
    assert environment.ot("check", config(f"{{_type_: {KEY}, value: 2.0}}")).returncode == 0
    wrong = environment.ot("check", config(f"{{_type_: {KEY}, valeu: 2.0}}"))
    assert wrong.returncode == 2
    message = wrong.stdout + wrong.stderr
    assert all(part in message for part in ("'valeu'", KEY, "ot-acme 1.0", "did you mean 'value'?", "trial.yaml:6:"))


def test_a_plugin_trains_and_an_upgrade_of_it_trains_otherwise(environment, author, config):
    path = config(f"{{_type_: {KEY}}}")
    for version, value in (("1.0", 1.5), ("2.0", 7.0)):
        author.publish("ot-acme", version, {KEY: "Constant"}, LOSS.format(value=value))
        assert {entry for entry in losses_in(environment) if entry[0] == KEY} == {(KEY, "ot-acme", version)}
        losses, plan = trained(environment, path)
        assert losses == [value, value]
        assert version in plan


def test_two_plugins_of_one_name_collide_only_where_the_name_is_used(environment, author, config):
    author.publish("ot-acme", "1.0", {KEY: "Constant"}, LOSS.format(value=1.0))
    author.publish("ot-rival", "3.0", {KEY: "Constant"}, LOSS.format(value=2.0))
    checked = environment.ot("check", config(f"{{_type_: {KEY}}}"))
    assert checked.returncode == 2
    message = checked.stdout + checked.stderr
    assert all(part in message for part in ("ot-acme 1.0", "ot-rival 3.0", f"{KEY}@ot-acme", f"{KEY}@ot-rival"))
    assert environment.ot("check", config(OURS)).returncode == 0
    for owner, value in (("ot-acme", 1.0), ("ot-rival", 2.0)):
        losses, _ = trained(environment, config(f"{{_type_: {KEY}@{owner}}}"))
        assert losses == [value, value]


def test_a_removed_plugin_is_unknown_again(environment, author, config):
    author.publish("ot-acme", "1.0", {KEY: "Constant"}, LOSS.format(value=1.0))
    path = config(f"{{_type_: {KEY}}}")
    assert environment.ot("check", path).returncode == 0
    author.remove("ot-acme")
    assert KEY not in {key for key, _, _ in losses_in(environment)}
    removed = environment.ot("run", path, cwd=path.parent)
    assert removed.returncode == 2
    assert KEY in removed.stderr
    assert not (path.parent / "runs").exists()
    trained(environment, config(OURS))


def test_a_plugin_that_cannot_be_imported_stops_only_the_runs_that_name_it(environment, author, config, tmp_path):
    marker = tmp_path / "imported"
    author.publish("ot-acme", "1.0", {KEY: "Constant"}, TRAP.format(marker=str(marker)))
    trained(environment, config(OURS))
    assert not marker.exists()
    failed = environment.ot("run", config(f"{{_type_: {KEY}}}"), "--overwrite", cwd=tmp_path)
    assert marker.exists()
    assert failed.returncode == 3
    assert all(part in failed.stderr for part in (KEY, "ot-acme 1.0", "ot_acme:Constant", "the trap was imported"))
    assert "Traceback" not in failed.stderr
