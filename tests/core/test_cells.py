"""Text takes as many cells as a terminal gives it, and is cut and broken by those."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer_core.cells import printable, width, window, wrapped
from offline_trainer_core.errors import Location, Problem

TEXTS = st.text(st.sampled_from("abx 日本é👍\u0301\t"), max_size=80)


@pytest.mark.parametrize(
    ("text", "cells"),
    [("abc", 3), ("日本", 4), ("e\u0301", 1), ("👍", 2), ("👩\u200d🚀", 2), ("❤\ufe0f", 2), ("é", 1), ("", 0)],
)
def test_wide_characters_take_two_cells_and_combining_ones_none(text, cells):
    assert width(text) == cells


def test_nothing_that_steers_a_terminal_is_printed():
    assert printable("a\x1b[31m\tb\u202ec") == "a\ufffd[31m    b\ufffdc"


@given(st.lists(st.text("abc日本", min_size=1, max_size=9), min_size=1), st.integers(20, 60))
def test_lines_break_between_words_and_fit(words, columns):
    lines = wrapped(" ".join(words), columns, 4)
    assert [word for line in lines for word in line.split()] == words
    assert all(width(line) <= columns for line in lines)


def test_a_word_that_is_longer_than_a_line_stays_whole():
    assert wrapped(f"see {'x' * 50} there", 20, 2) == ["see", f"  {'x' * 50}", "  there"]


@given(TEXTS, st.integers(0, 80), st.integers(20, 60))
def test_a_window_fits_and_shows_the_place(text, start, columns):
    text = printable(text)
    start = min(start, width(text))
    shown, offset = window(text, start, start + 1, columns)
    assert width(shown) <= columns
    assert 0 <= start - offset <= columns
    assert shown.strip("…") in text
    if width(text) <= columns:
        assert (shown, offset) == (text, 0)


@given(TEXTS.filter(lambda text: "x" in text), st.integers(30, 60) | st.none())
def test_the_caret_stands_under_its_token(text, columns):
    place = text.index("x")
    problem = Problem("any", "any", location=Location("f.yaml", 1, place + 1), source_line=text)
    source, carets = problem.render(columns).splitlines()[-2:]
    before = carets[: carets.index("^")]
    column, shown = 0, ""
    for character in source:
        if column == width(before) and width(character):
            shown = character
            break
        column += width(character)
    assert shown == "x"
    assert carets.count("^") == 1


def test_carets_under_a_token_of_several_lines_end_with_the_first():
    problem = Problem("any", "any", location=Location("f.yaml", 2, 4), source_line='a: "one', width=90)
    assert problem.render().splitlines()[-1] == "  |    ^^^^"


def test_in_a_file_nothing_is_broken_or_cut():
    problem = Problem(
        "any", "word " * 99, location=Location("f.yaml", 2, 4), source_line="a: " + "x" * 999, fix="y " * 99
    )
    assert len(problem.render().splitlines()) == 6
    assert "…" not in problem.render()
