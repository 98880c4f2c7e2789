"""`ot diff` says in what two configurations differ, or two runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

TEXT = """\
schema_version: 1
run: {name: small, out_dir: runs}
data:
 {_type_: data.random_regression, batch_size: 8, steps_per_epoch: 2, val_steps_per_epoch: 1, x_shape: [4], y_shape: [2]}
model: {config_path: net.yaml}
io: {_type_: io.mapping, model_kwargs: {x: x}, targets: {y: y}}
loss: {_type_: loss.torch, fn: MSELoss}
optimizer: {_type_: optim_factory.torch, type: AdamW, kwargs: {lr: 0.001}}
trainer: {_type_: trainer.default, max_epochs: 1}
callbacks: [{_type_: cb.progress}, {_type_: cb.lr_monitor}]
"""
NET = """\
schema_version: 1
model: {sequential: {inputs: [x], layers: [{_type_: block.mlp, dims: [4, 8, 2]}]}}
"""
OTHER = """\
defaults: [exp.yaml]
trainer: {max_epochs: 2.0, log_every_n_steps: 50}
callbacks: {_merge_: prepend, _value_: [{_type_: cb.ema}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"exp": TEXT, "other": OTHER, "net": NET}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_equal_configurations_have_no_difference(folder, ot) -> None:
    (folder / "same.yaml").write_text("defaults: [exp.yaml]\ntrainer: {max_epochs: 1.0}\n")
    done = ot("diff", "exp.yaml", "same.yaml")
    assert (done.returncode, done.stdout) == (0, "no difference\n")


def test_each_change_is_told_with_both_values_and_their_lines(folder, ot) -> None:
    done = ot("diff", "exp.yaml", "other.yaml")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"- trainer.max_epochs: 1  # exp.yaml:{1 + TEXT[: TEXT.index('trainer:')].count(chr(10))}",
        "+ trainer.max_epochs: 2.0  # other.yaml:2",
        "+ trainer.log_every_n_steps: 50  # other.yaml:2, the default",
        "",
        "+ callbacks[0]: {_type_: cb.ema}  # other.yaml:3",
    ]


def test_overrides_alone_are_told_against_the_file_without_them(folder, ot) -> None:
    done = ot("diff", "exp.yaml", "trainer.max_epochs=2", "+run.seed=3", "~callbacks[0]")
    assert [line.partition("  #")[0] for line in done.stdout.splitlines() if line] == [
        "+ run.seed: 3",
        "- trainer.max_epochs: 1",
        "+ trainer.max_epochs: 2",
        "- callbacks[0]: {_type_: cb.progress}",
    ]
    twice = ot("diff", "exp.yaml", "exp.yaml", "trainer.max_epochs=2", "+run.seed=3", "~callbacks[0]")
    assert twice.stdout == done.stdout


def test_model_files_are_compared_by_what_is_in_them(folder, ot) -> None:
    (folder / "wide.yaml").write_text(NET.replace("8", "16"))
    (folder / "copy.yaml").write_text(NET)
    assert ot("diff", "exp.yaml", "model.config_path=copy.yaml").returncode == 0
    done = ot("diff", "exp.yaml", "model.config_path=wide.yaml")
    path = "model.config.model.sequential.layers[0].dims"
    assert done.stdout == f"- {path}: [4, 8, 2]  # net.yaml:2\n+ {path}: [4, 16, 2]  # wide.yaml:2\n"


def test_json_carries_the_same(folder, ot) -> None:
    done = ot("diff", "exp.yaml", "other.yaml", "--format", "json")
    shown = json.loads(done.stdout)
    assert (done.returncode, shown["equal"]) == (1, False)
    assert [(change["kind"], change["path"], change["is_default"]) for change in shown["changes"]] == [
        ("changed", "trainer.max_epochs", False),
        ("added", "trainer.log_every_n_steps", True),
        ("added", "callbacks[0]", False),
    ]
    assert json.loads(ot("diff", "exp.yaml", "exp.yaml", "--format", "json").stdout)["equal"] is True


def test_a_file_that_is_not_there_is_an_error_and_not_a_difference(folder, ot) -> None:
    done = ot("diff", "exp.yaml", "nowhere.yaml")
    assert done.returncode == 2
    assert "nowhere.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_changed_secret_is_told_but_not_shown(folder, ot) -> None:
    done = ot("diff", "exp.yaml", "exp.yaml", "+x-a={password: first-secret}")
    assert "password: '***'" in done.stdout
    (folder / "secret.yaml").write_text("defaults: [exp.yaml]\nx-a: {password: first-secret}\n")
    done = ot("diff", "secret.yaml", "x-a.password=second-secret")
    assert done.stdout == "- x-a.password: '***'  # secret.yaml:2\n+ x-a.password: '***'  # <override 1>\n"
    assert done.returncode == 1


def test_two_runs_are_compared_by_what_they_recorded(folder, ot) -> None:
    pytest.importorskip("torch")
    for name in ("one", "two"):
        assert ot("run", "exp.yaml", f"run.name={name}").returncode == 0
    first, second = folder / "runs" / "one", folder / "runs" / "two"
    done = ot("diff", str(first), str(second))
    assert [line.partition("  #")[0] for line in done.stdout.splitlines()] == ["- run.name: one", "+ run.name: two"]
    assert ot("diff", "exp.yaml", str(first), "--format", "json").returncode == 1
    assert ot("diff", str(first), "exp.yaml", "run.name=one").stdout == "no difference\n"
    change(second / "plan.json", "0.1.0", "0.0.9")
    change(second / "environment.json", '"host": "', '"host": "other-')
    done = ot("diff", str(first), str(second))
    assert "other code of the same components" in done.stdout
    assert "ot-builtins: ot-builtins" not in done.stdout
    assert "0.0.9" in done.stdout
    assert "+ host: other-" in done.stdout


SECRETS = """\
defaults: [exp.yaml]
x-store:
  password: ${env:STORE_A_PASSWORD}
  passwords: ["${env:STORE_A_PASSWORD}", "${env:STORE_B_PASSWORD}"]
  token: written-out-token
  address: "ftp://ada:${env:STORE_A_PASSWORD}@store"
"""
PASSWORDS = {"STORE_A_PASSWORD": "canary-one", "STORE_B_PASSWORD": "canary-two"}


def test_what_a_record_masks_is_equal_to_what_comes_from_the_same_place(folder, ot) -> None:
    pytest.importorskip("torch")
    (folder / "secrets.yaml").write_text(SECRETS)
    assert ot("run", "secrets.yaml", env=PASSWORDS).returncode == 0
    done = [
        ot("diff", "secrets.yaml", "runs/small", env=PASSWORDS),
        ot("diff", "runs/small", "secrets.yaml", env={**PASSWORDS, "STORE_A_PASSWORD": "canary-new"}),
        ot("diff", "runs/small", "runs/small/config.yaml"),
    ]
    assert [each.stdout for each in done] == ["no difference\n"] * 3
    swap = "x-store.passwords=['${env:STORE_B_PASSWORD}', '${env:STORE_A_PASSWORD}']"
    changed = ot("diff", "runs/small", "secrets.yaml", "x-store.password=${env:STORE_B_PASSWORD}", swap, env=PASSWORDS)
    a, b = ("${env:STORE_A_PASSWORD}", "${env:STORE_B_PASSWORD}")
    assert [re.sub(r"# (<override \d>|[^ ]+)", "#", line) for line in changed.stdout.splitlines()] == [
        f"- x-store.password: '***'  # (interpolation {a})",
        f"+ x-store.password: '***'  # (interpolation {b})",
        f"- x-store.passwords: ['***', '***']  # (interpolation {a}, {b})",
        f"+ x-store.passwords: ['***', '***']  # (interpolation {b}, {a})",
    ]
    assert "canary" not in "".join(each.stdout + each.stderr for each in (*done, changed))
    (folder / "runs/small/masked.json").unlink()
    assert ot("diff", "runs/small", "secrets.yaml", env=PASSWORDS).stdout == "no difference\n"


def test_a_damaged_record_is_one_error(folder, ot) -> None:
    record = folder / "runs" / "bad"
    record.mkdir(parents=True)
    (record / "config.yaml").write_text(TEXT.replace("net.yaml", "../../net.yaml"))
    for damaged in ("{", "[1]"):
        (record / "plan.json").write_text(damaged)
        done = ot("diff", str(record), "exp.yaml")
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "plan.json" in done.stderr


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
