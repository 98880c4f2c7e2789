"""Saving and restoring a session: every stateful part under its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from offline_trainer_core.engine.context import RunContext
from offline_trainer_core.engine.guard import Guard
from offline_trainer_core.engine.hooks import Hooks
from offline_trainer_core.engine.progress import Progress
from offline_trainer_core.engine.state import Counters, Difference, gather, is_stateful, restore
from offline_trainer_core.errors import CheckpointError
from offline_trainer_core.networks import Surroundings, with_policy_weights
from offline_trainer_core.types import Exactness

__all__ = ["Restored", "Saver", "name_of", "shared_parts"]

_RENEWED = {"model": "surroundings.", "normalize": "normalizer", "relative": "normalizer"}
"""What an accepted change of a section keeps from being taken back: what is frozen, and the statistics."""
_NOT_OF_A_POLICY = ("progress", "precision", "guard", "optimizers.", "loggers.")


def shared_parts(context: RunContext, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is the same on every process, by section; with what differs, it is all that is saved and loaded.

    `parts` are those of the run as it was asked for, and what the session has made beside the context.
    """
    shared: dict[str, Any] = {
        **{f"models.{name}": model for name, model in context.models.items()},
        **{f"surroundings.{name}": Surroundings(model) for name, model in context.models.items()},
        **{f"optimizers.{name}": slot for name, slot in parts["slots"].items()},
        "normalizer": context.normalizer,
        "precision": parts["precision"],
        "guard": parts["guard"],
        "counters": Counters(context.state),
        "progress": parts["progress"],
    }
    optional = {name: getattr(context, name) for name in ("algorithm", "io", "loss")}
    for group in ("callbacks", "plugins", "metrics", "loggers", "evaluations"):
        optional |= {f"{group}.{name}": part for name, part in (parts.get(group) or {}).items()}
    return shared | {name: part for name, part in optional.items() if is_stateful(part)}


def name_of(step: int) -> str:
    """Return how the checkpoint of an optimizer step is called."""
    return f"step_{step:08d}"


class Restored(NamedTuple):
    """What came out of a checkpoint."""

    source: str
    world_size: int
    """Processes that wrote it."""
    difference: Difference


class Saver:
    """Writes checkpoints of a session into the run's store, and brings a session back from one."""

    def __init__(
        self,
        context: RunContext,
        *,
        shared: Mapping[str, Any],
        own: Mapping[str, Any],
        progress: Progress,
        hooks: Hooks,
        guard: Guard,
    ) -> None:
        """`shared` are the parts that are the same on every process, `own` those that each process has for itself."""
        self._context, self._progress, self._hooks, self._guard = context, progress, hooks, guard
        self._shared, self._own = shared, own
        self._prefix = f"rank{context.run.rank}."
        self._saved: dict[str, object] = {}
        """Name of a checkpoint → the moment that it holds."""
        self._resumes: list[Mapping[str, Any]] = []
        self._requests: dict[str, bool] = {}
        """Name of a checkpoint that was asked for → whether training may go on while it is written."""
        self.ended = False
        """Whether no step follows: what is asked for from now on is saved at once."""

    def request(self, name: str, asynchronous: bool) -> Path:
        """Save `name` at the next boundary; return the folder that it will have."""
        self._requests[name] = asynchronous and self._requests.get(name, True)
        if self.ended:
            self.at_boundary()
        folder: Path = self._context.run.checkpoints.dir
        return folder / name

    def at_boundary(self) -> None:
        """Save what was asked for, unless it holds this moment already.

        Every process calls this where every listener has heard of all that the state holds.
        """
        if not self._requests:
            return
        self._guard.read()  # what is saved is a state that no bad step lies before
        requests, self._requests = self._requests, {}
        for name, may_wait in requests.items():
            if self._saved.get(name) != self._moment:
                self._save(name, may_wait and not self.ended)

    def save_last(self) -> None:
        """Save this moment, unless a checkpoint holds it."""
        self._guard.read()
        if self._moment not in self._saved.values():
            self._save(name_of(self._context.state.global_step), asynchronous=False)

    @property
    def _moment(self) -> object:
        state = self._context.state
        return (state.global_step, state.epoch, state.micro_step_in_epoch, self._progress.open)

    def _save(self, name: str, asynchronous: bool) -> None:
        context, run = self._context, self._context.run
        own = {f"{self._prefix}{section}": state for section, state in gather(self._own).items()}
        path = run.checkpoints.save(
            name,
            {**(gather(self._shared) if run.is_main else {}), **own},
            counters=Counters(context.state).state_dict(),
            plan=run.plan,
            config_digest=run.config_digest,
            config=run.hparams,
            environment=run.environment,
            resumes=self._resumes,
            asynchronous=asynchronous,
        )
        self._saved[name] = self._moment
        self._hooks.fire("on_checkpoint_saved", context=context, path=path)

    def restore(self) -> Restored | None:
        """Bring the session back from where `run.resume_from` says; return None where there is no checkpoint."""
        source, run = self._source(), self._context.run
        if source is None:
            return None
        checkpoint = run.checkpoints.load(source)
        shared, own = self._apart(checkpoint.state)
        parts = {**self._shared, **(self._own if own else {})}
        renewed = tuple(part for section, part in _RENEWED.items() if section in run.renewed)
        parts, shared = ({k: v for k, v in d.items() if not k.startswith(renewed)} for d in (parts, shared))
        difference = restore(parts, {**shared, **own}, source)
        self._resumes = list(checkpoint.manifest.resumes)
        if source in run.checkpoints.names():
            run.checkpoints.go_on_from(source)
            self._saved[source] = self._moment
        return Restored(source, checkpoint.manifest.world_size, difference)

    def note_resume(self, exactness: Exactness) -> None:
        """Let every checkpoint from here on tell of this resume."""
        step = self._context.state.global_step
        self._resumes.append({"step": step, "level": exactness.level, "reasons": list(exactness.reasons)})

    def restore_policy(self) -> None:
        """Bring back what acting needs, the models with the weights that the policy acts with.

        A session for evaluation has no optimizers, so it takes nothing of theirs.
        """
        source = self._source()
        if source is None:
            raise CheckpointError(f"{self._context.run.dir} has no checkpoint that can be evaluated")
        parts = {name: part for name, part in self._shared.items() if not name.startswith(_NOT_OF_A_POLICY)}
        state = with_policy_weights(self._context.run.checkpoints.load(source).state, source)
        restore(parts, {name: value for name, value in state.items() if name in parts}, source)

    def _source(self) -> str | None:
        run = self._context.run
        source: str | None = run.checkpoints.latest() if run.resume_from == "auto" else run.resume_from
        return source

    def _apart(self, state: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the sections that all processes share, and those of this one without its number."""
        shared = {name: value for name, value in state.items() if not name.startswith("rank")}
        mine = len(self._prefix)
        return shared, {name[mine:]: value for name, value in state.items() if name.startswith(self._prefix)}

    def wait(self) -> None:
        """Wait for a checkpoint that is still being written, and raise what went wrong with it."""
        if self._context.run.checkpoints is not None:
            self._context.run.checkpoints.wait()
