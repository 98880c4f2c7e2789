"""A secret leaves a run nowhere: canaries in every place where secrets are, and every sink searched for them."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import subprocess
import zlib

import pytest
import torch  # noqa: F401 - a run needs it
from searching import files_with, holds

CANARIES = {
    name: f"canary{number:02}{'A1b2C3d4E5f6G7h8J9k0'[number % 10 :]}{number:02}zq9X8w7"
    for number, name in enumerate(
        (
            "variable",
            "part of a composed string",
            "literal api_key",
            "literal password",
            "literal secret",
            "override",
            "included file",
            "password of an address",
            "token in a query",
            "deleted by an override",
            "overridden by a file",
            "overridden by an override",
            "list",
            "below a secret key",
            "private key",
            "folded over lines",
            "escaped",
            "comment",
            "default of a variable",
            "token under a misspelled key",
            "template",
            "JSON from the environment",
            "uncommitted change: assignment",
            "uncommitted change: value of a variable",
            "uncommitted change: token",
            "uncommitted change: private key",
            "variable that nothing names",
        )
    )
}
C = CANARIES
PLAIN = "visible0123456789plain"
"""Stands where a secret might: it must be found."""

ENVIRONMENT = {
    "HF_TOKEN": C["variable"],
    "BEARER_TOKEN": C["part of a composed string"],
    "JSON_CREDENTIALS": json.dumps({"user": C["JSON from the environment"]}),
    "AWS_SECRET_ACCESS_KEY": C["variable that nothing names"],
    "DEPLOY_KEY": C["uncommitted change: value of a variable"],
    "NOTE": PLAIN,
}
BASE = f"""
schema_version: 1
run: {{name: demo, out_dir: runs, seed: 0, device: cpu}}
data: {{_type_: data.random_regression, batch_size: 4, steps_per_epoch: 4, val_steps_per_epoch: 1}}
model: {{sequential: {{inputs: [x], layers: [{{_type_: block.mlp, dims: [32, 16]}}]}}}}
io: {{_type_: io.mapping, model_kwargs: {{x: x}}, targets: {{y: y}}}}
loss: {{_type_: loss.torch, fn: MSELoss}}
optimizer: {{_type_: optim_factory.torch, type: AdamW, kwargs: {{lr: 0.01}}}}
trainer: {{_type_: trainer.default, max_epochs: 2, log_every_n_steps: 1}}
imports: [holder]
settings: {{allowed_import_prefixes: [holder]}}
templates:
  store: {{store_password: {C["template"]}}}
callbacks:
  - name: holder
    access_key: {C["included file"]}
    hf_token: {C["overridden by a file"]}
"""
CONFIG = f"""
defaults: [base.yaml]
# admin_password: {C["comment"]}
callbacks:
  _merge_: keyed
  key: name
  _value_:
    - name: holder
      _type_: cb.local.holder
      fails: false
      note: ${{env:NOTE}}
      hf: ${{env:HF_TOKEN}}
      header: "Bearer ${{env:BEARER_TOKEN}}"
      again: ${{callbacks[0].api_key}}
      api_key: {C["literal api_key"]}
      password: "{C["literal password"]}"
      secret: '{C["literal secret"]}'
      url: https://robot:{C["password of an address"]}@host.example/data
      query: https://host.example/data?user=me&access_token={C["token in a query"]}
      hf_token: ${{env:HF_TOKEN}}
      api_token: {C["overridden by an override"]}
      gone: {{api_key: {C["deleted by an override"]}}}
      credentials: [{C["list"]}, other]
      client_secret: {{inner: {{value: {C["below a secret key"]}}}}}
      private_key: |
        -----BEGIN PRIVATE KEY-----
        {C["private key"]}
        -----END PRIVATE KEY-----
      passphrase: first words
        {C["folded over lines"]}
      auth_token: "{"".join(f"{chr(92)}u{ord(letter):04x}" for letter in C["escaped"])}"
      refresh_token: ${{env:NO_SUCH_TOKEN,{C["default of a variable"]}}}
      api_kye: ghp_{C["token under a misspelled key"]}0123456789
      store: {{_template_: store}}
      session: ${{env:json:JSON_CREDENTIALS}}
loggers:
  - {{_type_: log.csv}}
  - {{_type_: log.jsonl}}
  - {{_type_: log.stdout}}
  - {{_type_: log.tensorboard}}
  - {{_type_: log.wandb, mode: offline}}
  - {{_type_: log.mlflow}}
"""
OVERRIDES = ["~callbacks[0].gone", f"callbacks[0].api_token={C['override']}"]
HOLDER = """
class Holder:
    def __init__(self, fails, **given):
        self.fails, self.given = fails, given
        if fails == "build":
            raise ValueError(f"cannot use {given}")

    def __repr__(self):
        return f"Holder({self.given})"

    def on_train_step_end(self, context):
        if self.fails == "step" and context.state.global_step == 3:
            try:
                raise OSError(13, "no entry", self.given["url"])
            except OSError as error:
                failure = KeyError(self.given["session"]["user"])
                failure.holder = f"{self}"
                raise failure from error


def register(registry):
    registry.register_module("cb.local.holder", Holder)
"""


@pytest.fixture(scope="module", autouse=True)
def clients():
    for client in ("wandb", "mlflow", "tensorboard"):
        pytest.importorskip(client)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project in a git repository with changes that are not committed, and what every command printed in it."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "base.yaml").write_text(BASE)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "holder.py").write_text(HOLDER)
    (folder / "settings.py").write_text("DEBUG = True\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "settings.py"], ["commit", "-q", "-m", "start"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{C['uncommitted change: private key']}\n-----END RSA PRIVATE KEY-----"
    (folder / "settings.py").write_text(
        f"DEBUG = '{PLAIN}'\nAPI_KEY = \"{C['uncommitted change: assignment']}\"\n"
        f"connect('{C['uncommitted change: value of a variable']}', 'hf_{C['uncommitted change: token']}')\n"
        f"KEY = '''{key}'''\n# {C['variable that nothing names']}\n"
    )
    return folder


def ot(zygote, folder, *arguments):
    environment = {
        **os.environ, **ENVIRONMENT, "OMP_NUM_THREADS": "1", "COLUMNS": "300",
        "WANDB_SILENT": "true", "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # fmt: skip
    done = zygote.run(arguments, folder, environment)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def printed(folder, zygote):
    """What the commands print, by the command; the runs come first."""
    config, failing = ["config.yaml", *OVERRIDES], "callbacks[0].fails"
    commands = {
        "run": ["run", *config],
        "run that fails": ["run", *config, "run.name=fails", f"{failing}=step"],
        "run that fails, with the traceback": ["run", *config, "run.name=traced", f"{failing}=step", "--traceback"],
        "run that cannot be built": ["run", *config, "run.name=unbuilt", f"{failing}=build"],
        "the same, with the traceback": ["run", *config, "run.name=other", f"{failing}=build", "--traceback"],
        "dry run": ["run", *config, "--dry-run"],
        "dry run that fails": ["run", *config, "--dry-run", "--traceback", f"{failing}=build"],
        "resume": ["run", *config, "trainer.max_epochs=3", "--resume", "--accept-changes"],
        "show": ["show", *config],
        "show --origin": ["show", *config, "--origin"],
        "show of the run": ["show", "runs/demo/config.yaml"],
        "diff": ["diff", "config.yaml", "runs/demo/config.yaml"],
        "diff of runs": ["diff", "runs/demo", "runs/fails"],
        "check": ["check", *config, f"+{failing}x=1", f"callbacks[0].api_token=[{C['override']}", "x"],
        "check --format json": ["check", *config, "--format", "json", "x"],
        "schema": ["schema"],
        "runs": ["runs"],
        "reproduce": ["reproduce", "runs/demo"],
    }
    for key in ("hf", "header", "api_key", "url", "credentials", "private_key", "auth_token", "api_kye", "session"):
        commands[f"explain {key}"] = ["explain", "config.yaml", f"callbacks[0].{key}", *OVERRIDES]
    return {name: ot(zygote, folder, *arguments) for name, arguments in commands.items()}


def test_every_command_did_what_it_should(printed):
    expected = {"run that fails": 3, "run that fails, with the traceback": 3, "run that cannot be built": 3}
    expected |= {"the same, with the traceback": 3, "dry run that fails": 3, "check": 2, "check --format json": 2}
    expected |= {"diff": 1, "diff of runs": 1, "reproduce": 2}
    wrong = {name: text for name, (code, text) in printed.items() if code != expected.get(name, 0)}
    assert not wrong, "\n".join(f"{name}: {text[-2000:]}" for name, text in wrong.items())


@pytest.mark.parametrize("kind", CANARIES)
def test_a_secret_is_in_nothing_that_is_printed(kind, printed):
    assert [name for name, (_, text) in printed.items() if holds(text.encode(), CANARIES[kind])] == []


@pytest.mark.parametrize("kind", CANARIES)
def test_a_secret_is_in_no_file_of_a_run(kind, folder, printed):
    assert files_with(folder / "runs", CANARIES[kind]) == []


def test_what_is_no_secret_is_in_every_sink(folder, printed):
    """The control: the same searches find what stands beside the secrets."""
    found = files_with(folder / "runs" / "demo", PLAIN)
    for sink in ("config.yaml", "environment.json", "tensorboard/", "wandb/", "mlruns/"):
        assert any(sink in file for file in found), (sink, found)
    for name in ("show", "show of the run", "explain hf"):
        assert holds(printed[name][1].encode(), "HF_TOKEN" if name.startswith("explain") else PLAIN), name
    assert "***" in printed["run that fails, with the traceback"][1]


def test_a_secret_that_is_planted_is_found_in_every_form(tmp_path):
    secret = C["variable"]
    planted = {
        "plain": secret.encode(),
        "utf16": secret.encode("utf-16-le"),
        "json": json.dumps({"a": f"\n{secret}"}).encode(),
        "base64": b"ab" + base64.b64encode(b"token=" + secret.encode() + b";"),
        "base64 further on": base64.b64encode(b"token:  " + secret.encode() + b";"),
        "gzip": gzip.compress(secret.encode()),
        "zlib within": b"\0" * 7 + zlib.compress(b"x" + secret.encode()) + b"end",
    }
    for name, data in planted.items():
        (tmp_path / name).write_bytes(b"before " + data)
    (tmp_path / "archive.src").mkdir()
    (tmp_path / "archive.src" / "inner").write_text(secret)
    shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path / "archive.src")
    shutil.rmtree(tmp_path / "archive.src")
    (tmp_path / secret).touch()
    assert set(files_with(tmp_path, secret)) == {*planted, "archive.zip", secret}
    assert files_with(tmp_path, C["override"]) == []


def test_there_are_many_kinds():
    assert len(CANARIES) == len(set(CANARIES.values())) >= 20
