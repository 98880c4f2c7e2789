"""Arguments fit a signature exactly when Python would take them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline_trainer_core.errors import ConfigError
from offline_trainer_core.signature import missing_and_unknown
from offline_trainer_core.signature.live import signature_of, validate_kwargs


def plain(a: int, b: int = 1) -> None: ...
def keyword_only(a: int, *, b: int, c: int = 2) -> None: ...
def positional_only(a: int, /, b: int = 1) -> None: ...
def open_ended(a: int, *args: int, **kwargs: int) -> None: ...
def empty() -> None: ...


FUNCTIONS = [plain, keyword_only, positional_only, open_ended, empty]


@given(
    st.sampled_from(FUNCTIONS),
    st.lists(st.just(0), max_size=3),
    st.dictionaries(st.sampled_from(["a", "b", "c", "z"]), st.just(0)),
)
def test_a_fit_is_what_binding_accepts(function: Callable[..., Any], args: list[int], kwargs: dict[str, int]) -> None:
    fit = missing_and_unknown(signature_of(function), args, kwargs)
    try:
        inspect.signature(function).bind(*args, **kwargs)
        binds = True
    except TypeError:
        binds = False
    assert (fit == ((), (), (), 0)) == binds


def test_each_misfit_is_named() -> None:
    fit = missing_and_unknown(signature_of(keyword_only), [0, 0], {"a": 1, "z": 2})
    assert fit.missing == ("b",)
    assert fit.unknown == ("z",)
    assert fit.twice == ("a",)
    assert fit.surplus == 1


def test_validate_kwargs_raises_every_problem_with_its_path() -> None:
    with pytest.raises(ConfigError) as caught:
        validate_kwargs(plain, kwargs={"z": 1}, policy="strict", config_path="loss")
    problems = [(problem.code, problem.config_path) for problem in caught.value.problems]
    assert problems == [("unknown-argument", "loss.z"), ("missing-argument", "loss")]


def test_validate_kwargs_lets_good_arguments_and_best_effort_through() -> None:
    validate_kwargs(plain, kwargs={"a": 1})
    validate_kwargs(plain, kwargs={"z": 1}, policy="best_effort")


def test_text_is_the_call_as_it_is_written() -> None:
    assert signature_of(plain).text("loss.plain") == "loss.plain(a, b=1)"
    assert signature_of(open_ended).text("x") == "x(a, *args, **kwargs)"
    assert signature_of(plain).without_first().text("x") == "x(b=1)"


def test_a_callable_without_a_signature_takes_anything() -> None:
    assert signature_of(dict).accepts_any
