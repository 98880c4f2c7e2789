from __future__ import annotations

import subprocess
import sys

import pytest

from ot_example_plugins.reader import read_widths


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
