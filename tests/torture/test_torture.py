"""The short form of `run.py`: some kills on one process and on two, and that what they may not do is found."""

import pytest
import torch  # noqa: F401 - these tests train
from campaign import Campaign
from controls import Controls
from lives import Configuration
from report import as_text, failures
from schedule import draw_deaths

pytestmark = pytest.mark.slow
STEPS = 40

ONE = Configuration(processes=1, workers=2, steps=STEPS)
TWO = Configuration(processes=2, workers=0, steps=STEPS)


@pytest.mark.parametrize(
    ("configuration", "points", "instants"),
    [
        pytest.param(ONE, ["gradients are accumulated", "a checkpoint is about to be renamed"], 2, id="one process"),
        pytest.param(TWO, ["the second process's file is half written"], 1, id="two processes"),
    ],
)
def test_a_run_that_is_killed_ends_as_the_one_that_is_not(configuration, points, instants, tmp_path):
    campaign = Campaign(configuration, draw_deaths(configuration, points, instants, seed=1), tmp_path)
    campaign.carry_out()
    assert len(campaign.verdicts) >= len(points) + instants
    assert not failures([campaign], {}, hits=0), as_text([campaign], {}, hits=0)


@pytest.fixture(scope="module")
def controls(tmp_path_factory):
    return Controls(tmp_path_factory.mktemp("controls"), STEPS)


@pytest.mark.parametrize("fault", ["the average is not restored", "the generators are not restored"])
def test_a_resume_that_forgets_something_is_found(controls, fault):
    assert ".safetensors" in controls.effect_of(fault)


def test_a_resume_that_begins_anew_is_found(controls):
    assert controls.effect_of("the checkpoint is not looked for")


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("metrics.jsonl", lambda text: text + text.splitlines(keepends=True)[-1]),
        ("log.jsonl", lambda text: "".join(text.splitlines(keepends=True)[1:])),
        ("metrics.csv", lambda text: text.replace("\n3,train", "\n4,train")),
        ("status.json", lambda text: text.replace("finished", "stopped")),
        ("checkpoints/step_00000040/state.json", lambda text: text.replace("1", "2", 1)),
        ("checkpoints/best", lambda text: "step_00000040"),
    ],
)
def test_a_record_that_was_tampered_with_is_found(controls, file, changed):
    path = controls.run.dir / file
    intact = path.read_text()
    assert controls.reference.differences_at_end(controls.run.dir) == []
    try:
        path.write_text(changed(intact))
        assert controls.reference.differences_at_end(controls.run.dir)
    finally:
        path.write_text(intact)
