"""Held-out action errors, beside what the same recording gives by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from offline_trainer_core.errors import ComponentError, DataError
from offline_trainer_core.networks import TrainedPolicy
from offline_trainer_core.types import RunInfo
from ot_builtins.data.dataset import DatasetData
from ot_builtins.data.episodes import Episodes
from ot_builtins.evals.open_loop import OpenLoop

LENGTHS = [9, 14, 6, 11]


@pytest.fixture
def run_info(tmp_path: Path) -> RunInfo:
    return RunInfo("arm", tmp_path, device=torch.device("cpu"))


def recording() -> dict[str, Any]:
    random, ends = np.random.default_rng(0), np.cumsum(LENGTHS)
    return {
        "state": random.standard_normal((ends[-1], 3)).astype(np.float32),
        "action": random.standard_normal((ends[-1], 2)).astype(np.float32),
        "episode_ends": ends,
    }


def episodes(**options: Any) -> Episodes:
    fields = {"state": "state", "action": "action"}
    module = Episodes(recording(), fields, **{"batch_size": 4, "history": 1, "chunk": 4, "validation": 0.5, **options})
    module.setup(None)
    return module


class Chunks:
    """Predicts chunks that depend on the state."""

    length = 4

    def act(self, observation: dict[str, Tensor]) -> Tensor:
        assert set(observation) == {"state"}, "the actions are not to be seen"
        state = observation["state"].flatten(1)
        return torch.stack([state[:, :2] * (1 + step) for step in range(self.length)], 1)


def by_hand(module: Episodes, horizon: int) -> dict[str, list[np.ndarray]]:
    """Return the errors `(A,)` of every step that counts, window by window, as the docstring describes them."""
    data, starts = recording(), [0, *np.cumsum(LENGTHS)]
    loader = module.val_dataloader()
    assert loader is not None
    held = {sample["episode"] for batch in range(len(loader)) for sample in loader.samples(0, batch)}
    trained = [i for i in range(len(LENGTHS)) if i not in held]
    mean = np.concatenate([data["action"][starts[i] : starts[i + 1]] for i in trained]).mean(0)
    errors: dict[str, list[np.ndarray]] = {"policy": [], "mean": [], "hold": []}
    for episode in sorted(held):
        for t in range(starts[episode] + 1, starts[episode + 1]):
            for step in range(horizon):
                if t + step < starts[episode + 1]:
                    done = data["action"][t + step]
                    errors["policy"].append(data["state"][t, :2] * (1 + step) - done)
                    errors["mean"].append(mean - done)
                    errors["hold"].append(data["action"][t - 1] - done)
    return errors


@pytest.mark.parametrize("horizon", [None, 2])
@pytest.mark.parametrize("batch_size", [4, 5, 64])
def test_errors_are_those_computed_by_hand(horizon: int | None, batch_size: int, run_info: RunInfo) -> None:
    module = episodes(batch_size=batch_size, drop_last=False)
    expected = by_hand(module, horizon or 4)
    scores = OpenLoop(action_horizon=horizon, plot=False).evaluate(Chunks(), run=run_info, step=7, datamodule=module)
    assert scores == pytest.approx(
        {
            "action_error": np.abs(expected["policy"]).mean(),
            "mean/action_error": np.abs(expected["mean"]).mean(),
            "hold/action_error": np.abs(expected["hold"]).mean(),
        }
    )
    report = json.loads((run_info.dir / "evaluations/7/open_loop.json").read_text())
    for who, errors in expected.items():
        found = report["errors"][who]
        assert found["mean_absolute_error_of_dimensions"] == pytest.approx(np.abs(errors).mean(0))
        assert found["root_mean_square_error_of_dimensions"] == pytest.approx(np.sqrt(np.square(errors).mean(0)))
        assert len(found["mean_absolute_error_of_steps"]) == (horizon or 4)
    assert (report["left_out"], report["dimensions"]) == (2, ["0", "1"])


def test_the_error_of_each_step_is_told_apart(run_info: RunInfo) -> None:
    class Late(Chunks):
        def act(self, observation: dict[str, Tensor]) -> Tensor:
            return torch.tensor([0.0, 0.0, 0.0, 100.0])[:, None].expand(len(observation["state"]), 4, 2)

    OpenLoop(plot=False).evaluate(Late(), run=run_info, step=0, datamodule=episodes())
    of_steps = json.loads((run_info.dir / "evaluations/0/open_loop.json").read_text())["errors"]["policy"]
    *early, last = of_steps["mean_absolute_error_of_steps"]
    assert max(early) < 3 < 90 < last


def test_who_repeats_the_recording_makes_no_error(run_info: RunInfo) -> None:
    class Perfect:
        def __init__(self, module: Episodes) -> None:
            loader = module.val_dataloader()
            assert loader is not None
            self.chunks = {row["state"].numpy().tobytes(): row["action"] for batch in loader for row in rows(batch)}

        def act(self, observation: dict[str, Tensor]) -> Tensor:
            return torch.stack([self.chunks[state.numpy().tobytes()] for state in observation["state"]])

    module = episodes()
    scores = OpenLoop(plot=False).evaluate(Perfect(module), run=run_info, step=0, datamodule=module)
    assert scores["action_error"] == 0 < scores["hold/action_error"]


def rows(batch: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    return [dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)]


def test_one_action_is_compared_with_the_first_of_a_chunk(run_info: RunInfo) -> None:
    class First(Chunks):
        def act(self, observation: dict[str, Tensor]) -> Tensor:
            return super().act(observation)[:, 0]

    module = episodes()
    one = OpenLoop(plot=False).evaluate(First(), run=run_info, step=0, datamodule=module)
    assert one == OpenLoop(action_horizon=1, plot=False).evaluate(Chunks(), run=run_info, step=0, datamodule=module)


def test_a_policy_that_draws_noise_draws_the_same_whatever_was_drawn_before(run_info: RunInfo) -> None:
    def act(observation: dict[str, Tensor], noise: Tensor | None) -> Tensor:
        assert noise is not None
        return noise

    policy = TrainedPolicy(act, torch.device("cpu"), noise_shape=(4, 2))
    first, other = OpenLoop(plot=False), OpenLoop(seed=1, plot=False)
    scores = [e.evaluate(policy, run=run_info, step=0, datamodule=episodes()) for e in (first, first, other)]
    assert scores[0] == scores[1] != scores[2]


def test_it_draws_bars_and_curves(run_info: RunInfo) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    OpenLoop(dir="scores").evaluate(Chunks(), run=run_info, step=3, datamodule=episodes())
    picture = np.asarray(Image.open(run_info.dir / "scores/3/open_loop.png").convert("RGB")).astype(int)
    for colour in ([0x4C, 0x72, 0xB0], [0xDD, 0x85, 0x52], [0xB8, 0xBC, 0xC4]):
        found = (np.abs(picture - colour).max(-1) <= 2).nonzero()[0]
        half = len(picture) // 2
        assert (found < half).sum() > 1000 < (found > half).sum(), "a bar above, a curve below"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (torch.zeros(4, 4, 3), r"have shape \(4, 4, 3\); .* must be \(4, 2\), or \(4, 'T', 2\)"),
        (torch.zeros(3, 2), r"have shape \(3, 2\)"),
        (torch.full((4, 4, 2), torch.nan), "not finite"),
    ],
)
def test_actions_that_do_not_fit_are_refused(output: Tensor, said: str, run_info: RunInfo) -> None:
    class Wrong:
        def act(self, observation: dict[str, Tensor]) -> Tensor:
            return output

    with pytest.raises(ComponentError, match=said):
        OpenLoop().evaluate(Wrong(), run=run_info, step=0, datamodule=episodes())


def test_a_horizon_beyond_the_chunk_is_refused(run_info: RunInfo) -> None:
    with pytest.raises(ComponentError, match="action_horizon is 5, and policy and data share 4 steps"):
        OpenLoop(action_horizon=5).evaluate(Chunks(), run=run_info, step=0, datamodule=episodes())


def test_a_run_without_validation_data_is_refused(run_info: RunInfo) -> None:
    with pytest.raises(ComponentError, match="needs validation data"):
        OpenLoop().evaluate(Chunks(), run=run_info, step=0, datamodule=episodes(validation=0.0))


def test_a_field_that_is_not_there_is_named(run_info: RunInfo) -> None:
    module = episodes()
    module.stats = {**module.stats, "torque": {"mean": torch.zeros(2)}}
    with pytest.raises(DataError, match="a batch has no field 'torque', but state, action, action_is_pad"):
        OpenLoop("torque").evaluate(Chunks(), run=run_info, step=0, datamodule=module)


class Rows(torch.utils.data.Dataset[dict[str, Tensor]]):
    stats = {"action": {"mean": torch.zeros(2)}}  # noqa: RUF012 - as a dataset declares it

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"state": torch.zeros(3), "action": torch.ones(2)}


def test_data_that_knows_no_episodes_is_refused(run_info: RunInfo) -> None:
    module = DatasetData(Rows(), batch_size=4, validation_dataset=Rows())
    module.setup(None)
    with pytest.raises(DataError, match=r"needs to know the episode and step of a window; .* \{'sample': 0\}"):
        OpenLoop().evaluate(Chunks(), run=run_info, step=0, datamodule=module)
