"""The contract of everything that has state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from offline_trainer_core.record import CheckpointStore
from offline_trainer_core.testing.contract import Contract, same

__all__ = ["StatefulContract"]


class StatefulContract(Contract):
    """State survives a checkpoint, and comes back from it whole."""

    def used(self) -> Any:
        """Return a component whose state differs from a fresh one's."""
        raise NotImplementedError(f"{type(self).__name__} must define used()")

    def test_state_survives_a_checkpoint(self, tmp_path: Path) -> None:
        state = self.used().state_dict()
        store = CheckpointStore(tmp_path)
        store.save("one", {"part": state}, counters={})
        assert same(store.load("one").state["part"], state), "a checkpoint changes it"

    def test_a_restored_part_has_the_same_state(self) -> None:
        state = self.used().state_dict()
        fresh = self.make()
        assert not same(fresh.state_dict(), state), "used() must differ from make(), or this proves nothing"
        fresh.load_state_dict(state)
        assert same(fresh.state_dict(), state), "load_state_dict() does not bring everything back"
