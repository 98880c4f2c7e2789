"""The policy of several components on real robot data: trained, stopped and resumed, looked at, measured, exported."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("av")
from safetensors.torch import load_file  # noqa: E402 - needs torch

from offline_trainer_core import RunResult, run  # noqa: E402
from offline_trainer_core.deploy import export_policy  # noqa: E402

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/g1/flow_multicomponent.yaml"
DATA = Path(os.environ.get("OT_DATA", ROOT.parent / "shared/data")).resolve()
SHORT = ["+run.device=cpu", "data.batch_size=4", "algorithm.steps=2", "+callbacks[2].every_n_steps=3"]
"""What makes its steps short: of four windows, and two of integration."""
STEPS = 6

Train = Callable[..., RunResult]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Return a function that trains it for some steps."""
    if not (DATA / "g1_bottle_video").exists():
        pytest.skip(f"{DATA / 'g1_bottle_video'} is absent; set OT_DATA to the folder of the real data")
    folder = tmp_path_factory.mktemp("g1")

    def start(name: str, *overrides: str, **options: Any) -> RunResult:
        places = [f"params.data={DATA}", f"run.out_dir={folder}", f"run.name={name}", f"+trainer.max_steps={STEPS}"]
        unjudged = ["~eval", "trainer.val_every_n_epochs=null", "~callbacks[2].keep_last"]
        return run(EXAMPLE, [*SHORT, *places, *unjudged, *overrides], **options)

    return start


@pytest.fixture(scope="module")
def whole(train: Train) -> RunResult:
    return train("whole")


@pytest.fixture
def ot(zygote: Any, tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs a command and returns what it prints."""

    def start(*arguments: str | Path) -> str:
        done = zygote.run([*map(str, arguments)], tmp_path, os.environ)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return start


def saved(result: RunResult, step: int, what: str = "") -> dict[str, Any]:
    """Return the tensors of a checkpoint: of everything, or of files whose names begin with `what`."""
    folder = result.dir / f"checkpoints/step_{step:08d}"
    files = sorted(folder.glob(f"{what}*.safetensors"))
    return {f"{file.name}:{name}": tensor for file in files for name, tensor in load_file(file).items()}


def test_stopped_and_resumed_it_ends_as_without_a_stop(train: Train, whole: RunResult) -> None:
    stopped = train("parts", until=3)
    assert (stopped.status, stopped.state.global_step) == ("stopped", 3)
    resumed, expected = saved(train("parts", resume="auto"), STEPS), saved(whole, STEPS)
    assert resumed.keys() == expected.keys()
    assert all(torch.equal(resumed[name], tensor) for name, tensor in expected.items())
    other = saved(train("other", "run.seed=1"), STEPS)
    assert not all(torch.equal(other[name], tensor) for name, tensor in expected.items())


def test_the_frozen_component_keeps_every_bit_and_the_others_learn(whole: RunResult) -> None:
    before, after = saved(whole, 3, "models."), saved(whole, STEPS, "models.")
    components = {name.split(".")[1] for name in after}
    assert components == {"backbone", "keypoints", "proprioception", "decoder"}, "the camera has no weights"
    for component in components:
        names = [name for name in after if name.startswith(f"models.{component}.")]
        kept = all(torch.equal(before[name], after[name]) for name in names)
        assert kept == (component == "backbone"), component


def test_its_error_is_reported_by_the_joints_of_the_robot(whole: RunResult, ot: Callable[..., str]) -> None:
    scores = json.loads(ot("eval", whole.dir, "+eval={_type_: eval.open_loop, action_horizon: 4}", "--json"))
    assert set(scores) == {"action_error", "mean/action_error", "hold/action_error"}
    (file,) = whole.dir.rglob("open_loop.json")
    report = json.loads(file.read_text("utf-8"))
    assert len(report["dimensions"]) == 26
    assert {"kLeftElbow", "kRightHandIndex"} <= set(report["dimensions"])
    assert report["left_out"] == 1, "the first window of the one episode that is held out"
    assert len(report["errors"]["policy"]["mean_absolute_error_of_steps"]) == 4


def test_it_is_shown_and_drawn(whole: RunResult, ot: Callable[..., str], tmp_path: Path) -> None:
    shown = ot("model", "show", whole.dir)
    assert "backbone    73,488; frozen" in shown
    assert "ActionTransformer" in shown
    ot("model", "draw", whole.dir, "-o", tmp_path / "policy.svg")
    drawn = (tmp_path / "policy.svg").read_text("utf-8")
    assert all(name in drawn for name in ("camera", "backbone", "keypoints", "proprioception", "decoder"))


@pytest.mark.parametrize(
    "form", ["safetensors", *(pytest.param(form, marks=pytest.mark.torture) for form in ("torch_export", "onnx"))]
)
def test_it_is_exported_and_acts_alike(whole: RunResult, form: str, tmp_path: Path) -> None:
    if form == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    passport = export_policy(whole.dir, form, tmp_path / form).passport
    assert set(passport.observation) == {"image", "state"}
    assert passport.noise_shape == [16, 26]
    assert set(passport.parity) == {"1", "3", "64"}
    assert max(passport.parity.values()) <= 1e-5
