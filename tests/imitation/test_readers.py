"""What `ot check` learns of the algorithms, without torch."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from ot_imitation.readers import read_act, read_bc, read_diffusion, read_flow_matching

ALL = [read_flow_matching, read_diffusion, read_act, read_bc]
CONTEXT = {"vision": {"model": "camera", "inputs": {"image": "obs.image"}}, "state": "obs.state"}


@pytest.mark.parametrize("read", ALL)
def test_components_and_fields_are_told_with_their_places(read: Any) -> None:
    reading = read({"network": "decoder", "context": CONTEXT, "action_field": "action"})
    assert set(map(str, reading.reads)) == {
        "('action_field', 'batch', 'action')",
        "('network', 'models', ['decoder'])",
        "('context.vision.inputs.image', 'batch', 'obs.image')",
        "('context.state', 'batch', 'obs.state')",
        "('context.vision.model', 'models', ['camera'])",
    }
    assert reading.problems == []


@pytest.mark.parametrize("read", ALL)
def test_mistakes_of_a_context_are_told(read: Any) -> None:
    (problem,) = read({"context": {"tokens": "$vision"}}).problems
    assert problem[:2] == ("context.tokens", "unknown-value")


@pytest.mark.parametrize("read", ALL)
def test_validation_gains_the_error_of_actions_and_the_auxiliary_losses(read: Any) -> None:
    reports = read({"auxiliary": {"load_balancing_loss": 0.01}}).reports
    assert {"loss", "action_error", "load_balancing_loss"} <= set(reports)


def test_a_style_encoder_is_a_component_and_has_a_divergence() -> None:
    with_it, without = read_act({"style_encoder": "style"}), read_act({})
    assert ("style_encoder", "models", ["style"]) in with_it.reads
    assert set(with_it.reports) - set(without.reports) == {"kl_divergence"}


@pytest.mark.parametrize(
    ("read", "arguments", "expected"),
    [
        (read_diffusion, {"sampling_steps": 101}, ("sampling_steps", "bad-value")),
        (read_diffusion, {"diffusion_steps": 5}, ("diffusion_steps", "bad-value")),
        (read_bc, {"act": "sample"}, ("act", "missing-argument")),
    ],
)
def test_arguments_that_exclude_each_other_are_told(read: Any, arguments: Any, expected: tuple[str, str]) -> None:
    (problem,) = read(arguments).problems
    assert problem[:2] == expected


def test_reading_loads_no_torch() -> None:
    code = (
        "import sys, ot_imitation.readers as r; r.read_act({'context': {'a': '$b'}}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
