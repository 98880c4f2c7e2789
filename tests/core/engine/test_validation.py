"""Validation beside means over all samples at once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from offline_trainer_core.engine import LoopSettings, Session


class Unequal:
    """Seven samples in batches of three, three and one."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(5)
        self.x, self.y = torch.randn(7, 3, generator=generator), torch.randn(7, 2, generator=generator)

    def __iter__(self):
        return iter([{"x": x, "y": y} for x, y in zip(self.x.split(3), self.y.split(3), strict=True)])


class Bias:
    """A metric: the mean of outputs minus targets."""

    def __init__(self, **options) -> None:
        vars(self).update(options)
        self.reset()

    def update(self, *, outputs, targets, batch, stage):
        self.parts.append((outputs - targets).detach())
        self.seen.add(stage)

    def compute(self):
        return {"bias": torch.cat(self.parts).mean()}

    def reset(self):
        self.parts, self.seen = [], set()


@pytest.fixture
def session(make_parts, small):
    def make(**changes):
        data = changes.pop("datamodule", None) or small.Data(val=Unequal())
        return Session(make_parts(datamodule=data, **changes), LoopSettings(max_epochs=1))

    return make


def test_the_loss_is_the_mean_over_all_samples_and_not_over_batches(session):
    run, data = session(), Unequal()
    with torch.no_grad():
        outputs = run.context.model.eval()(data.x)
        losses = [nn.functional.mse_loss(o, y) for o, y in zip(outputs.split(3), data.y.split(3), strict=True)]
    found = run.validate()["loss"]
    assert found == pytest.approx(nn.functional.mse_loss(outputs, data.y).item(), rel=1e-6)
    assert found != pytest.approx(torch.stack(losses).mean().item(), rel=1e-3)


def test_metrics_cover_all_samples_and_begin_anew(session):
    run = session(metrics={"bias": Bias()})
    first = run.validate()["bias"]
    with torch.no_grad():
        expected = (run.context.model.eval()(Unequal().x) - Unequal().y).mean().item()
    assert first == pytest.approx(expected, rel=1e-5)
    assert run.validate()["bias"] == first


def test_validation_sees_normalized_batches(session, small):
    plain, normalized = session().validate()["loss"], session(normalize={"x": "mean_std"}).validate()["loss"]
    assert plain != pytest.approx(normalized)
    data = small.Data()
    x = (Unequal().x - data.stats["x"]["mean"]) / data.stats["x"]["std"]
    with torch.no_grad():
        assert normalized == pytest.approx(nn.functional.mse_loss(small.network().eval()(x), Unequal().y).item())


def test_models_are_in_eval_mode_and_every_module_returns_to_its_own(session, small):
    model = small.network(dropout=0.5)
    modes = []

    class Watch(small.Fit):
        def validate(self, batch):
            modes.append((model.training, model[2].training, torch.is_grad_enabled()))
            return super().validate(batch)

    run = session(models={"model": model}, algorithm=Watch())
    model[2].eval()
    run.validate()
    assert modes == [(False, False, False)] * 3
    assert (model.training, model[0].training, model[2].training) == (True, True, False)


def test_an_error_in_validation_leaves_models_in_their_mode(session, small):
    class Broken(small.Fit):
        def validate(self, batch):
            raise ValueError("no")

    run = session(algorithm=Broken())
    with pytest.raises(ValueError, match="no"):
        run.validate()
    assert run.context.model.training


@pytest.mark.parametrize(
    ("stages", "seen_in_training", "seen_in_validation"),
    [(None, False, True), (("val",), False, True), (("train",), True, False), (("train", "val"), True, True)],
)
def test_a_metric_is_shown_the_stages_that_it_names(
    make_parts, small, train, stages, seen_in_training, seen_in_validation
):
    class Observed(small.Fit):
        def update(self, batch, step):
            loss, outputs, targets = self.score(batch, "train")
            step.optimize("model", loss)
            step.observe(outputs=outputs, targets=targets, batch=batch)
            return {"loss": loss}

    log = small.Recorder()
    metrics = {"bias": Bias(**({"stages": stages} if stages else {}))}
    data = small.Data(val=Unequal())
    parts = make_parts(algorithm=Observed(), datamodule=data, metrics=metrics, loggers={"log": log})
    train(parts, max_epochs=1).validate()
    stages_logged = {stage for _, stage, row in log.rows if "bias" in row}
    assert ("train" in stages_logged, "val" in stages_logged) == (seen_in_training, seen_in_validation)


def test_without_validation_data_there_is_nothing(session, small):
    assert session(datamodule=small.Data()).validate() == {}


def test_an_algorithm_that_does_not_validate_has_no_validation(session, small):
    class Update:
        setup, update = small.Fit.setup, small.Fit.update

    assert session(algorithm=Update()).validate() == {}
