"""Saving and restoring a session: every stateful part under its name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.hooks import Hooks
from offline_trainer_core.engine.logs import LogWindow
from offline_trainer_core.engine.precision import Precision
from offline_trainer_core.engine.seeding import Generators
from offline_trainer_core.engine.slot import OptimizerSlot
from offline_trainer_core.engine.state import Counters, gather, is_stateful, restore
from offline_trainer_core.errors import CheckpointError

__all__ = ["Saver", "stateful_parts"]

log = logging.getLogger(__name__)


def stateful_parts(
    context: RunContext, slots: Mapping[str, OptimizerSlot], precision: Precision, window: LogWindow
) -> dict[str, Any]:
    """Return everything that is saved and loaded: the one list for both directions."""
    parts: dict[str, Any] = {
        **{f"models.{name}": model for name, model in context.models.items()},
        **{f"optimizers.{name}": slot for name, slot in slots.items()},
        "normalizer": context.normalizer,
        "precision": precision,
        "counters": Counters(context.state),
        "logs": window,
    }
    optional = {"algorithm": context.algorithm, "datamodule": context.datamodule}
    for group in ("callbacks", "metrics", "loggers"):
        optional |= {f"{group}.{name}": part for name, part in getattr(context, group).items()}
    return {**parts, **{name: part for name, part in optional.items() if is_stateful(part)}}


class Saver:
    """Writes checkpoints of a session into the run's store, and brings a session back from one."""

    def __init__(self, context: RunContext, parts: Mapping[str, Any], hooks: Hooks) -> None:
        self._context = context
        self._shared = parts
        self._own = {f"rank{context.run.rank}.generators": Generators()}
        self._hooks = hooks
        self.saved_at = -1
        """The optimizer step of the newest checkpoint of this session."""

    def save(self, name: str, asynchronous: bool = False) -> Path:
        """Write the checkpoint `name`; every process calls this. Return its folder."""
        context, run = self._context, self._context.run
        path: Path = run.checkpoints.save(
            name,
            {**(gather(self._shared) if run.is_main else {}), **gather(self._own)},
            counters=Counters(context.state).state_dict(),
            plan=run.plan,
            config_digest=run.config_digest,
            config=run.hparams,
            environment=run.environment,
            asynchronous=asynchronous,
        )
        self.saved_at = context.state.global_step
        self._hooks.fire("on_checkpoint_saved", context=context, path=path)
        return path

    def restore(self) -> bool:
        """Bring the session back from where `run.resume_from` says; return whether there was a checkpoint."""
        source = self._source()
        if source is None:
            return False
        state = self._context.run.checkpoints.load(source).state
        restore(self._shared, {name: value for name, value in state.items() if not name.startswith("rank")}, source)
        own = {name: state[name] for name in self._own if name in state}
        if not own:
            log.warning("%s was saved by fewer processes: the randomness of this one begins anew", source)
        restore({name: self._own[name] for name in own}, own, source)
        return True

    def restore_policy(self) -> None:
        """Bring back what acting needs; a session for evaluation has no optimizers, so it takes nothing of theirs."""
        source = self._source()
        if source is None:
            raise CheckpointError(f"{self._context.run.dir} has no checkpoint that can be evaluated")
        state = self._context.run.checkpoints.load(source).state
        restore(self._shared, {name: value for name, value in state.items() if name in self._shared}, source)

    def _source(self) -> str | None:
        run = self._context.run
        source: str | None = run.checkpoints.latest() if run.resume_from == "auto" else run.resume_from
        return source

    def wait(self) -> None:
        """Wait for a checkpoint that is still being written, and raise what went wrong with it."""
        if self._context.run.checkpoints is not None:
            self._context.run.checkpoints.wait()
