"""Calls that ask for their parts by name."""

from functools import partial

import pytest

from offline_trainer_core import ComponentError
from offline_trainer_core.signature.parts import call_with_parts

PARTS = {"model": 1, "io": 2, "loss": 3}


def test_a_function_gets_the_parts_that_it_names_and_no_others():
    assert call_with_parts(lambda loss, *, model: (model, loss), PARTS) == (1, 3)
    assert call_with_parts(lambda: "none", PARTS) == "none"


def test_keywords_receive_everything_that_is_not_named():
    assert call_with_parts(lambda model, **rest: (model, rest), PARTS) == (1, {"io": 2, "loss": 3})


def test_a_part_with_a_default_may_be_missing():
    assert call_with_parts(lambda model, scheduler=None: (model, scheduler), PARTS) == (1, None)
    assert call_with_parts(lambda model=9: model, PARTS) == 1


def test_a_part_that_does_not_exist_is_named_with_those_that_do():
    class Trainer:
        def fit(self, *, modle):
            return modle

    with pytest.raises(ComponentError, match=r"Trainer.fit asks for 'modle', .* the parts are: io, loss, model"):
        call_with_parts(Trainer().fit, PARTS)


def test_what_is_given_already_is_not_asked_for():
    class Evaluation:
        def evaluate(self, policy, *, step):
            return policy, step

    assert call_with_parts(partial(Evaluation().evaluate, "policy"), {"run": 1, "step": 2}) == ("policy", 2)
    with pytest.raises(ComponentError, match=r"Evaluation.evaluate asks for 'step', .* the parts are: run"):
        call_with_parts(partial(Evaluation().evaluate, "policy"), {"run": 1})
