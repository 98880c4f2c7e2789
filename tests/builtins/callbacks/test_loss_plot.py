"""`cb.loss_plot`: a picture of what was logged."""

from __future__ import annotations

import json
import math

import pytest

pytest.importorskip("matplotlib", reason="needs ot-builtins[plots]")

import numpy as np
import torch  # noqa: F401 - runs train
from matplotlib.figure import Figure
from matplotlib.image import imread

from offline_trainer_core.errors import ComponentError
from ot_builtins.callbacks.loss_plot import LossPlot, _draw_panel, _smooth, read_curves


def test_a_run_leaves_a_picture_of_its_losses(fit):
    run = fit({"plot": LossPlot()}, max_epochs=4)
    picture = imread(run.dir / "loss.png")
    assert picture.shape[1] > 900
    assert np.unique(picture.reshape(-1, picture.shape[-1]), axis=0).shape[0] > 50  # curves, not an empty page


def test_the_curves_are_what_was_logged(fit):
    run = fit({"plot": LossPlot()}, max_epochs=2)
    curves = read_curves(run.dir / "metrics.jsonl", None)
    for stage in ("train", "val"):
        assert curves["loss"][stage] == [(step, row["loss"]) for step, s, row in run.rows if s == stage]


def test_a_run_that_fails_leaves_a_picture_too(fit, tmp_path):
    class Fail:
        def on_epoch_end(self, epoch):
            if epoch == 1:
                raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        fit({"plot": LossPlot(path="pictures/loss.png"), "fail": Fail()})
    assert (tmp_path / "pictures" / "loss.png").stat().st_size > 5000


def test_a_run_that_begins_draws_over_no_picture_outside_of_its_folder(fit, tmp_path):
    picture = tmp_path / "pictures" / "loss.png"
    fit({"plot": LossPlot(path=str(picture))}, max_epochs=1, folder=tmp_path / "first")
    drawn = picture.read_bytes()
    with pytest.raises(ComponentError, match=r"loss.png exists already, outside of the run folder"):
        fit({"plot": LossPlot(path=str(picture))}, max_epochs=2, folder=tmp_path / "second")
    assert picture.read_bytes() == drawn


def test_every_loss_has_a_panel_the_total_first_and_what_is_none_has_none(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [{"step": s, "stage": "train", "time": 0.0, "q": 1.0, "critic_loss": 1.0, "loss": "nan"} for s in (1, 2)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 3, "st')
    curves = read_curves(path, None)
    assert list(curves) == ["loss", "critic_loss"]
    assert curves["critic_loss"] == {"train": [(1, 1.0), (2, 1.0)]}
    assert math.isnan(curves["loss"]["train"][0][1])
    assert list(read_curves(path, ("q",))) == ["q"]


@pytest.mark.parametrize(
    ("values", "scale"), [([1.0, 0.001], "log"), ([1.0, 0.5], "linear"), ([1.0, -0.001], "linear")]
)
def test_the_axis_is_logarithmic_where_that_shows_more(values, scale):
    panel = Figure().subplots()
    _draw_panel(panel, "loss", {"train": list(enumerate(values))})
    assert panel.get_yscale() == scale
    assert panel.get_ylabel() == "loss"


def test_smoothing_keeps_a_constant_and_calms_noise():
    assert _smooth(np.ones(90)) == pytest.approx(np.ones(90))
    noise = np.random.default_rng(0).normal(size=300)
    assert _smooth(noise).std() < 0.5 * noise.std()
    assert _smooth(np.ones(20)) is None
