from __future__ import annotations

from typing import Any

from offline_trainer_core import Registry
from ot_example_plugins.trainer import Overfit


class Data:
    """Five batches, and an attribute that a trainer may ask for."""

    stats = {"x": 1}  # noqa: RUF012

    def train_dataloader(self) -> list[int]:
        return [10, 11, 12, 13, 14]

    def val_dataloader(self) -> list[int]:
        return [99]


class Inner:
    """Stands for `trainer.default`: keeps what it is given."""

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments

    def fit(self, **parts: Any) -> Any:
        return self, parts


def fitted(**arguments: Any) -> tuple[Inner, dict[str, Any]]:
    registry = Registry()
    registry.register_module("trainer.default", Inner)
    return Overfit(**arguments).fit(registry=registry, datamodule=Data(), model="a model", something_new="passed on")


def test_it_trains_and_validates_on_its_first_batches_in_every_epoch() -> None:
    _, parts = fitted(batches=2)
    train, val = parts["datamodule"].train_dataloader(), parts["datamodule"].val_dataloader()
    assert [list(train), list(train), list(val)] == [[10, 11]] * 3
    assert len(train) == 2
    train.set_epoch(4, start=1)
    assert list(train) == [11]


def test_everything_else_goes_through_to_the_default_trainer() -> None:
    inner, parts = fitted(batches=1, max_steps=300)
    assert inner.arguments == {"max_steps": 300}
    assert parts["model"] == "a model"
    assert parts["something_new"] == "passed on"
    assert parts["datamodule"].stats == {"x": 1}
