"""The contract of `io.*`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from offline_trainer_core.errors import DataError
from offline_trainer_core.nest import map_leaves
from offline_trainer_core.testing.contract import Contract, same

__all__ = ["IOContract"]


class IOContract(Contract):
    """An io takes a batch apart alike at every stage, needs no targets for acting, and names what is missing."""

    def batch(self) -> Any:
        """Return a fixed batch."""
        raise NotImplementedError(f"{type(self).__name__} must define batch()")

    def observation(self) -> Any:
        """Return the same batch without targets: what a policy has in its environment."""
        raise NotImplementedError(f"{type(self).__name__} must define observation()")

    def test_a_batch_becomes_inputs_targets_and_meta(self) -> None:
        inputs, _, meta = self.make().split(self.batch(), stage="train")
        assert isinstance(inputs.args, tuple), "the inputs are ArgsKwargs, whose args are a tuple"
        assert isinstance(inputs.kwargs, Mapping), "the inputs are ArgsKwargs, whose kwargs are a mapping"
        assert inputs.args or inputs.kwargs, "the model is called with nothing"
        assert isinstance(meta, Mapping), f"meta is a mapping, not {type(meta).__name__}"

    @pytest.mark.parametrize("stage", ["val", "predict"])
    def test_the_inputs_are_those_of_training(self, stage: str) -> None:
        trained, _, _ = self.make().split(self.batch(), stage="train")
        inputs, _, _ = self.make().split(self.observation() if stage == "predict" else self.batch(), stage=stage)
        assert same((inputs.args, inputs.kwargs), (trained.args, trained.kwargs)), f"inputs differ at stage {stage}"

    def test_a_batch_is_left_as_it_was(self) -> None:
        batch, fresh = self.batch(), map_leaves(_copied, self.batch())
        self.make().split(batch, stage="train")
        assert same(batch, fresh)

    def test_a_missing_field_is_explained_by_what_there_is(self) -> None:
        with pytest.raises((DataError, KeyError), match="only_this"):
            self.make().split({"only_this": torch.zeros(2, 1)}, stage="train")


def _copied(leaf: Any) -> Any:
    return leaf.clone() if isinstance(leaf, torch.Tensor) else leaf
