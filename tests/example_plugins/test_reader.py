from __future__ import annotations

import subprocess
import sys

import pytest

from ot_example_plugins.reader import read_concatenate, read_demonstrations, read_log_cosh, read_widths


def test_a_sound_definition_has_one_input_and_no_problems() -> None:
    reading = read_widths({"sizes": [3, 64, 1], "activation": "Tanh"})
    assert (reading.inputs, reading.problems) == (("input",), [])
    assert reading.references == [("activation", "nn.Tanh")]


def test_an_activation_that_is_not_written_is_no_reference() -> None:
    assert read_widths({"sizes": [3, 64, 1]}).references == []


@pytest.mark.parametrize("sizes", [None, 3, [3], [3, 0], [3, "64"], [3, True]])
def test_sizes_must_be_at_least_two_positive_numbers(sizes: object) -> None:
    ((path, code, message, _),) = read_widths({"sizes": sizes}).problems
    assert (path, code) == ("sizes", "wrong-type")
    assert "[3, 64, 64, 1]" in message


def test_an_unknown_key_comes_with_the_nearest_one() -> None:
    (problem,) = read_widths({"sizes": [3, 1], "activaton": "Tanh"}).problems
    assert problem == ("activaton", "unknown-key", "'activaton' is no part of widths", "activation")


def test_reading_loads_no_torch() -> None:
    code = "import sys, ot_example_plugins.reader; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_fields_are_those_of_a_recording() -> None:
    pytest.importorskip("torch")
    from ot_example_plugins import recording

    assert read_demonstrations({}).fields == recording.FIELDS


def test_every_field_that_is_joined_is_read_from_the_batch() -> None:
    reading = read_concatenate({"fields": ["observation", "goal"]})
    assert reading.calls == (1, {})
    expected = [("fields[0]", "batch", "observation"), ("fields[1]", "batch", "goal"), ("target", "batch", "action")]
    assert reading.reads == expected


def test_a_mask_is_read_from_the_batch() -> None:
    assert read_log_cosh({"mask_path": "action_is_pad"}).reads == [("mask_path", "batch", "action_is_pad")]
