from __future__ import annotations

import ast
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from offline_trainer_core import NonFiniteError, check_config, run
from offline_trainer_core.cli.group import ot

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/authors.md").read_text(encoding="utf-8")
INCLUDED = re.findall(r"<!-- from: (\S+) -->\n```python\n(.*?)\n```", PAGE, re.DOTALL)
ADVERTISED = re.findall(r'```toml\n\[project\.entry-points\."(\S+)"\]\n(.*?)\n```', PAGE, re.DOTALL)
(SWING_UP,) = re.findall(r"<!-- checked -->\n```yaml\n(.*?)\n```", PAGE, re.DOTALL)


def source_of(reference: str) -> str:
    """Return the text of a file, or of one class or function of it: `path` or `path#name`."""
    path, _, name = reference.partition("#")
    text = (ROOT / path).read_text(encoding="utf-8")
    if not name:
        return text.rstrip("\n")
    (node,) = (node for node in ast.parse(text).body if getattr(node, "name", None) == name)
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


@pytest.mark.parametrize(("reference", "shown"), INCLUDED, ids=[reference for reference, _ in INCLUDED])
def test_the_page_shows_the_file_as_it_is(reference: str, shown: str) -> None:
    assert shown == source_of(reference), f"copy {reference} into docs/authors.md again"


def test_every_marker_has_its_source() -> None:
    assert len(INCLUDED) == PAGE.count("<!-- from: ") > 15


def test_every_example_file_is_on_the_page() -> None:
    files = (ROOT / "packages/ot-example-plugins/ot_example_plugins").glob("[!_]*.py")
    assert not [file.name for file in files if f"ot_example_plugins/{file.name}" not in PAGE]


@pytest.mark.parametrize(("group", "lines"), ADVERTISED, ids=[group for group, _ in ADVERTISED])
def test_the_page_advertises_what_the_distribution_does(group: str, lines: str) -> None:
    installed = {
        entry.name: entry.value for entry in distribution("ot-example-plugins").entry_points if entry.group == group
    }
    shown = dict(re.findall(r'^"?(\S+?)"? += "(.*)"$', lines, re.MULTILINE))
    assert shown
    assert shown.items() <= installed.items()


def test_the_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", PAGE) if not link.startswith("http")]
    assert links
    assert not [link for link in links if not (ROOT / "docs" / link).exists()]


@pytest.fixture
def swing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "swing_up.yaml"
    file.write_text(SWING_UP, encoding="utf-8")
    return file


def test_the_configuration_is_sound(swing_up: Path) -> None:
    assert [problem.render() for problem in check_config(swing_up).problems] == []


def test_a_wrong_argument_of_an_example_is_found(swing_up: Path) -> None:
    (problem,) = check_config(swing_up, ["+loss.mask_pth=x"]).problems
    assert (problem.config_path, problem.suggestion) == ("loss.mask_pth", "mask_path")


def test_the_configuration_trains(swing_up: Path) -> None:
    short = ["data.episodes=3", "data.val_episodes=1", "trainer.max_steps=30", "trainer.log_every_n_steps=10"]
    result = run(swing_up, short)
    assert (result.status, result.state.global_step) == ("finished", 30)
    report = (result.dir / "report.md").read_text(encoding="utf-8")
    assert "| train/loss |" in report
    assert "| val/loss |" in report
    assert torch.isfinite(torch.tensor(list(result.metrics.values()))).all()


def test_overfitting_needs_one_word(swing_up: Path) -> None:
    short = ["data.episodes=2", "data.val_episodes=1", "trainer.max_steps=200", "optimizer.kwargs.lr=1e-3"]
    result = run(swing_up, ["trainer._type_=trainer.examples.overfit", *short])
    lines = (result.dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert result.state.epoch == 200
    assert len(lines) >= 2


def test_its_time_limit_saves_and_stops(swing_up: Path) -> None:
    limit = ["callbacks[0].minutes=0", "+callbacks[0].every_n_steps=5", "data.episodes=3", "data.val_episodes=1"]
    result = run(swing_up, limit)
    assert (result.state.global_step, result.reason) == (5, "the time limit of 0 minutes")
    assert (result.dir / "checkpoints/step_00000005").is_dir()


def test_its_hook_plugin_keeps_the_batch_at_which_it_dies(swing_up: Path) -> None:
    fatal = ["optimizer.kwargs.lr=1e38", "data.episodes=3", "data.val_episodes=1", "scheduler=null"]
    with pytest.raises(NonFiniteError):
        run(swing_up, fatal)
    tensors = load_file("runs/swing_up/crash_batch.safetensors")
    assert tensors["observation"].shape == (128, 3)


def test_a_recording_of_the_command_serves_an_evaluation(swing_up: Path) -> None:
    options = ["--env", "Pendulum-v1", "--policy", "policy.examples.pendulum_swing_up", "--episodes", "1"]
    CliRunner().invoke(ot, ["record", *options, "--seed", "99", "--out", "demos.npz"], catch_exceptions=False)
    evaluation = "+eval={_type_: eval.examples.action_error, file: demos.npz}"
    result = run(swing_up, [evaluation, "data.episodes=3", "data.val_episodes=1", "trainer.max_steps=20"])
    assert {"eval/action_mae", "eval/action_r2"} <= result.metrics.keys()


def test_its_frontend_is_another_way_to_write_the_model(swing_up: Path) -> None:
    widths = [
        "~model",
        "+model={widths: {sizes: [3, 16, 1], activation: Tanh}}",
        "data.episodes=3",
        "data.val_episodes=1",
    ]
    assert run(swing_up, [*widths, "trainer.max_steps=3"]).state.global_step == 3
    misspelled = ["~model", "+model={widths: {sizes: [3, 1], activaton: Tanh}}"]
    (problem,) = check_config(swing_up, misspelled).problems
    assert (problem.config_path, problem.suggestion) == ("model.widths.activaton", "activation")
