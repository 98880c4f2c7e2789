"""Whatever is wrong, one screen says what, where and how to mend it, and the exit code says of what kind it is."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: F401 - most of these get as far as torch

from offline_trainer_core.cli import main

CONFIGURATION = """
schema_version: 1
run: {name: small, out_dir: runs, device: cpu}
model:
  sequential:
    inputs: [x]
    layers:
      - {_type_: nn.Linear, in_features: 3, out_features: 4}
      - {_type_: nn.Tanh}
      - {_type_: nn.Linear, in_features: 4, out_features: 2}
data: {_type_: data.random_regression, batch_size: 4, steps_per_epoch: 3, x_shape: [3], y_shape: [2]}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: {_type_: nn.MSELoss}}
optimizer: {_type_: optim_factory.torch, type: SGD, kwargs: {lr: 0.1}}
trainer: {_type_: trainer.default, max_epochs: 2, log_every_n_steps: 1}
"""
COMPONENTS = """
class Refuses:
    def __init__(self, size: int = 1):
        raise ValueError(f"a warehouse of size {size} has no door")


class Breaks:
    def __init__(self, at: int = 2):
        self.at = at

    def on_train_step_end(self, context):
        if context.state.global_step == self.at:
            raise KeyError("shelf")
"""
ROWS = "data={_type_: data.tensors, data: rows.npz, batch_size: 4}"
"""What a batch of them has, only the file tells."""
SCREEN = 25
"""Lines of a terminal."""


@pytest.fixture
def ot(tmp_path, monkeypatch, capfd):
    """Run `ot` on `small.yaml` in an empty folder; return the exit code and what was on the screen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("small.yaml").write_text(CONFIGURATION)
    np.savez("rows.npz", x=np.zeros((8, 3), np.float32), y=np.zeros((8, 2), np.float32))

    def run_ot(*arguments, command="run", config="small.yaml"):
        with pytest.raises(SystemExit) as ended:
            main([command, config, *arguments])
        out, err = capfd.readouterr()
        return ended.value.code or 0, out + err

    return run_ot


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution with components that fail, on the path of this process."""
    site = tmp_path / "site"
    metadata = site / "acme_plugins-1.2.dist-info"
    metadata.mkdir(parents=True)
    metadata.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\nName: acme-plugins\nVersion: 1.2\nProvides-Extra: fast\n"
        "Requires-Dist: turbowarehouse>=2; extra == 'fast'\n"
    )
    metadata.joinpath("entry_points.txt").write_text(
        "[offline_trainer.components]\n"
        "data.acme.refuses = acme_parts:Refuses\n"
        "cb.acme.breaks = acme_parts:Breaks\n"
        "data.acme.import = acme_broken:Data\n"
        "loss.acme.fast = acme_parts:Refuses [fast]\n"
        "loss.shared = acme_parts:Refuses\n"
    )
    other = site / "rival_plugins-3.0.dist-info"
    other.mkdir()
    other.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: rival-plugins\nVersion: 3.0\n")
    other.joinpath("entry_points.txt").write_text("[offline_trainer.components]\nloss.shared = rival:Loss\n")
    site.joinpath("acme_parts.py").write_text(COMPONENTS)
    site.joinpath("acme_broken.py").write_text("raise RuntimeError('the licence server does not answer')\n")
    monkeypatch.syspath_prepend(site)


def assert_one_screen(screen: str, words: tuple[str, ...]) -> None:
    for word in words:
        assert word in screen, f"{word!r} is not on the screen:\n{screen}"
    assert "Traceback" not in screen
    assert len(screen.rstrip().splitlines()) <= SCREEN, screen


IN_THE_CONFIGURATION = {
    "unknown key": (["+trainr={}"], ["'trainr' is not a key of the top level"]),
    "unknown argument": (["+data.noize=3"], ["'noize'", "data.random_regression", "did you mean 'noise'"]),
    "unknown component": (["loss._type_=loss.torhc"], ["loss.torhc", "did you mean 'loss.torch'"]),
    "unknown optimizer": (["optimizer.type=AdamX"], ["AdamX", "optimizer.type", "AdamW"]),
    "wrong kind in a slot": (["loss._type_=io.mapping"], ["io.mapping", "loss", "small.yaml"]),
    "missing argument": (["~optimizer.type"], ["needs 'type'", "add type:"]),
    "missing section": (["~loss"], ["'loss' is missing", "add loss:"]),
    "wrong type": (["data.batch_size=many"], ["batch_size", "takes int", "'many'", "overrides 4 from small.yaml:11"]),
    "override of nothing": (["trainer.max_epoch=3"], ["max_epoch", "did you mean", "max_epochs"]),
    "missing environment variable": (["run.name=${env:OT_TEST_NOWHERE}"], ["OT_TEST_NOWHERE", "run.name"]),
    "cycle in interpolation": (["run.name=${run.out_dir}", "run.out_dir=${run.name}"], ["cycle", "run.name"]),
    "no optimizer": (["~optimizer"], ["'optimizer' is missing"]),
    "optimizer of no model": (
        ["optimizer={actor: {_type_: optim_factory.torch, type: SGD}}"],
        ["there is no model component 'actor'", "allowed: model"],
    ),
    "input that the model has not": (["io.model_kwargs={z: x}"], ["'z' is not an input of the model"]),
    "no such device": (["run.device=gpu"], ["no device 'gpu'", "allowed: auto, cpu, cuda"]),
    "two distributions with one key": (
        ["loss={_type_: loss.shared}"],
        ["loss.shared", "acme-plugins", "rival-plugins", "loss.shared@"],
    ),
    "missing extra": (["loss={_type_: loss.acme.fast}"], ["turbowarehouse", "pip install 'acme-plugins[fast]'"]),
}


@pytest.mark.parametrize(("change", "words"), IN_THE_CONFIGURATION.values(), ids=IN_THE_CONFIGURATION)
@pytest.mark.parametrize("command", ["check", "run"])
def test_what_the_text_gets_wrong_is_refused_before_anything_is_written(ot, installed, command, change, words):
    code, screen = ot(*change, command=command)
    assert_one_screen(screen, tuple(words))
    assert code == 2
    assert not Path("runs").exists()


FILES = {
    "missing defaults": ("defaults: [absent.yaml]\n", ["absent.yaml", "exp.yaml:1"]),
    "cycle in defaults": ("defaults: [other.yaml]\n", ["exp.yaml", "other.yaml", "cycle"]),
    "cycle in templates": (
        "defaults: [small.yaml]\ntemplates: {a: {_template_: b}, b: {_template_: a}}\nloss: {_template_: a}\n",
        ["cycle", "a", "b"],
    ),
    "missing model file": (
        "defaults: [small.yaml]\nmodel: {_merge_: replace, _value_: {config_path: no.yaml}}\n",
        ["no.yaml", "exp.yaml:2"],
    ),
    "no YAML": ("model: [1, 2\n", ["exp.yaml"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), FILES.values(), ids=FILES)
def test_what_the_files_get_wrong_names_the_file(ot, text, words):
    Path("exp.yaml").write_text(text)
    Path("other.yaml").write_text("defaults: [exp.yaml]\n")
    code, screen = ot(config="exp.yaml")
    assert_one_screen(screen, tuple(words))
    assert code == 2


def test_a_configuration_that_does_not_exist_is_one_message(ot):
    code, screen = ot(config="absent.yaml")
    assert_one_screen(screen, ("absent.yaml",))
    assert code == 2


def test_several_problems_are_reported_at_once(ot):
    code, screen = ot("loss._type_=loss.torhc", "data.batch_size=many", "+trainr={}", "~io")
    for words in ("loss.torhc", "'many'", "trainr", "'io' is missing", "4 errors"):
        assert words in screen
    assert code == 2


LATER = {
    "component whose import raises": (
        ["data={_type_: data.acme.import}"],
        3,
        ["data.acme.import of acme-plugins 1.2", "the licence server does not answer", "pip install --upgrade"],
    ),
    "component that refuses its arguments": (
        ["data={_type_: data.acme.refuses, size: 7}"],
        3,
        ["data: data.acme.refuses (acme-plugins 1.2)", "ValueError", "a warehouse of size 7 has no door"],
    ),
    "component that raises in training": (
        ["+callbacks=[{_type_: cb.acme.breaks}]"],
        3,
        ["callbacks[0]: cb.acme.breaks (acme-plugins 1.2) failed, at site/acme_parts.py:", "KeyError: 'shelf'"],
    ),
    "neither epochs nor steps": (["~trainer.max_epochs"], 3, ["trainer", "max_epochs or max_steps"]),
    "argument of torch that does not fit": (["optimizer.kwargs.lr=-1"], 3, ["optim_cls.SGD", "learning rate"]),
    "a missing data file": (["data={_type_: data.tensors, data: no.npz, batch_size: 4}"], 4, ["no.npz does not exist"]),
    "an empty dataset": (
        ["data={_type_: data.tensors, data: {x: [], y: []}, batch_size: 4}"],
        4,
        ["is empty", "x, y have no rows"],
    ),
    "less than a batch": (
        ["data={_type_: data.tensors, data: {x: [[1.0, 2.0, 3.0]], y: [[1.0, 2.0]]}, batch_size: 4}"],
        4,
        ["1 rows", "one batch of 4", "drop_last"],
    ),
    "a key that batches do not have": ([ROWS, "io.targets.y=z"], 4, ["io.mapping: targets.y", "no 'z'", "has x, y"]),
    "an input that does not fit the model": (
        ["data.x_shape=[5]"],
        3,
        ["(4x5 and 3x4)", "in model.sequential.layers[0]", "nn.Linear", "called with x (4, 5) float32"],
    ),
    "an output that does not fit the target": (
        ["data.y_shape=[3]"],
        4,
        ["loss.torch", "the output is (4, 2) and the target (4, 3)"],
    ),
    "no statistics": ([ROWS, "+normalize={z: mean_std}"], 4, ["normalize: no statistics for 'z'", "x, y"]),
    "no such GPU": (["run.device=cuda:7"], 7, ["run.device", "cuda:7", "torch sees", "run.device=cpu"]),
    "nothing at the checkpoint": (["--resume=runs/absent"], 5, ["no checkpoint 'runs/absent'", "this run has"]),
    "a gradient that is not finite": (
        ["optimizer.kwargs.lr=1e30", "trainer.max_epochs=9"],
        6,
        ["infinite or NaN", "step 2 (epoch 0, batch 1)", "trainer.grad_clip_norm"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "code", "words"), LATER.values(), ids=LATER)
def test_what_only_a_run_can_find_is_one_screen_too(ot, installed, change, code, words):
    ended, screen = ot(*change)
    assert_one_screen(screen, tuple(words))
    assert ended == code
    status = Path("runs/small/status.json")
    assert not status.exists() or json.loads(status.read_text())["status"] == "failed"


def test_the_configuration_that_all_of_these_change_is_right(ot):
    assert ot("trainer.max_epochs=1")[0] == 0


def test_the_traceback_is_shown_where_it_is_asked_for(ot, installed):
    code, screen = ot("+callbacks=[{_type_: cb.acme.breaks}]", "--traceback")
    assert code == 3
    assert "Traceback" in screen
    assert "acme_parts.py" in screen


def test_a_run_that_failed_before_its_first_step_may_be_started_again(ot):
    assert ot("data.y_shape=[3]")[0] == 4
    assert ot("trainer.max_epochs=1")[0] == 0
    code, screen = ot()
    assert_one_screen(screen, ("holds a run already (finished at step 3)", "--resume", "run.name=", "--overwrite"))
    assert code == 2


def test_a_model_without_an_optimizer_is_named(ot):
    Path("two.yaml").write_text(
        """
        defaults: [small.yaml]
        model:
          _merge_: replace
          _value_:
            components:
              a: {sequential: {inputs: [x], layers: [{_type_: nn.Linear, in_features: 3, out_features: 2}]}}
              b: {sequential: {inputs: [x], layers: [{_type_: nn.Linear, in_features: 3, out_features: 2}]}}
        algorithm: {_type_: algo.supervised, model: a}
        optimizer:
          _merge_: replace
          _value_: {a: {_type_: optim_factory.torch, type: SGD, kwargs: {lr: 0.1}}}
        """
    )
    code, screen = ot(config="two.yaml")
    assert_one_screen(screen, ("model 'b' has no optimizer", "freeze: true"))
    assert code == 3


def test_weights_of_another_model_are_refused_by_their_keys(ot):
    ot("trainer.max_epochs=1")
    checkpoint = next(Path("runs/small/checkpoints").glob("step_*"))
    layer = "{_type_: nn.Linear, in_features: 3, out_features: 2}"
    other = (
        f"model={{components: {{model: {{sequential: {{inputs: [x], layers: [{layer}]}}, weights: {checkpoint}}}}}}}"
    )
    code, screen = ot(other, "run.name=other")
    assert_one_screen(screen, (str(checkpoint), "does not fit model 'model'", "0.weight"))
    assert code == 5


def test_resuming_with_another_model_is_refused(ot):
    ot("trainer.max_epochs=1")
    code, screen = ot(
        "model.sequential.layers[0].out_features=5", "model.sequential.layers[2].in_features=5", "--resume"
    )
    assert_one_screen(screen, ("step_00000003", "layers[0].out_features: 4 -> 5", "--accept-changes"))
    assert code == 5


def test_resuming_where_nothing_was_saved_says_so_and_starts(ot, caplog):
    assert ot("trainer.max_epochs=1", "--resume")[0] == 0
    assert "runs/small has no checkpoint yet: the run starts from its beginning" in caplog.text


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_taken(ot):
    saving = "+callbacks=[{_type_: cb.model_checkpoint, every_n_steps: 2}]"
    ot(saving)
    damage(Path("runs/small/checkpoints/step_00000006"))
    command = Path(sys.executable).with_name("ot")
    done = subprocess.run([command, "run", "small.yaml", saving, "--resume"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_one_screen(done.stderr, ("skipping checkpoint 'step_00000006'", "models.model.safetensors"))
    assert "resumes from step_00000004" in done.stdout
    steps = [json.loads(line)["step"] for line in Path("runs/small/metrics.jsonl").read_text().splitlines()]
    assert sorted(set(steps)) == [1, 2, 3, 4, 5, 6]


def test_a_run_whose_checkpoints_are_all_damaged_is_not_started_over(ot):
    ot("trainer.max_epochs=1")
    damage(Path("runs/small/checkpoints/step_00000003"))
    code, screen = ot("--resume")
    assert_one_screen(screen, ("every checkpoint", "damaged", "--overwrite"))
    assert code == 5


def damage(checkpoint: Path) -> None:
    """Change one byte of the weights."""
    weights = checkpoint / "models.model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


def test_a_bad_value_in_the_data_names_the_step(ot):
    x = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
    x[5, 1] = np.nan
    np.savez("rows.npz", x=x, y=x[:, :2].copy())
    code, screen = ot("data={_type_: data.tensors, data: rows.npz, batch_size: 4, shuffle: false}")
    assert_one_screen(screen, ("a gradient became infinite or NaN", "step 2 (epoch 0, batch 1)"))
    assert code == 6


def test_the_installed_command_ends_with_the_same_codes(tmp_path):
    tmp_path.joinpath("small.yaml").write_text(CONFIGURATION)
    command = Path(sys.executable).with_name("ot")
    for change, code in (("data.y_shape=[3]", 4), ("data.batch_size=many", 2)):
        done = subprocess.run([command, "run", "small.yaml", change], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
