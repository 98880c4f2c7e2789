"""The contract of `model.*`, `block.*` and every other `torch.nn.Module`."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from offline_trainer_core.nest import leaves, map_leaves
from offline_trainer_core.record import CheckpointStore
from offline_trainer_core.testing.contract import Contract, same

__all__ = ["ModuleContract"]


class ModuleContract(Contract):
    """Every parameter learns, samples do not see each other, and weights survive a checkpoint."""

    def inputs(self, count: int) -> tuple[Tensor, ...]:
        """Return the positional arguments for the first `count` of at least four fixed samples."""
        raise NotImplementedError(f"{type(self).__name__} must define inputs(count)")

    def outputs(self, module: nn.Module, count: int = 4) -> Any:
        """Return what `module` makes of the first samples in eval mode."""
        with torch.no_grad():
            return module.eval()(*self.inputs(count))

    def test_every_parameter_gets_a_gradient(self) -> None:
        module = self.make()
        outputs = [leaf for _, leaf in leaves(module(*self.inputs(4))) if leaf.requires_grad]
        if outputs:
            torch.stack([(leaf * torch.randn_like(leaf)).sum() for leaf in outputs]).sum().backward()  # type: ignore[no-untyped-call]
        idle = [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
        assert not idle, f"these parameters take no part in the outputs: {', '.join(idle)}"

    def test_in_eval_mode_a_sample_does_not_see_the_others(self) -> None:
        module = self.make()
        whole, alone = self.outputs(module), self.outputs(module, 1)
        for (path, leaf), (_, first) in zip(leaves(whole), leaves(alone), strict=True):
            close = torch.allclose(leaf[:1], first, rtol=1e-4, atol=1e-5)
            assert close, f"output {'.'.join(map(str, path))} of the first sample changes with the rest of the batch"

    def test_in_eval_mode_a_call_repeats_itself(self) -> None:
        module = self.make()
        assert same(self.outputs(module), self.outputs(module)), "it is random in eval mode"

    def test_weights_survive_a_checkpoint(self, tmp_path: Path) -> None:
        module, other = self.make(), self.make()
        self.outputs(other)  # fills dimensions that are left open
        expected = self.outputs(module)
        store = CheckpointStore(tmp_path)
        store.save("one", {"model": module.state_dict()}, counters={})
        other.load_state_dict(store.load("one").state["model"])
        assert same(self.outputs(other), expected), "the outputs depend on something that is not in state_dict()"

    def test_a_copy_has_weights_of_its_own(self) -> None:
        module = self.make()
        before = map_leaves(torch.clone, self.outputs(module))
        copy = deepcopy(module)
        with torch.no_grad():
            for parameter in copy.parameters():
                parameter.zero_()
        assert same(self.outputs(module), before)
