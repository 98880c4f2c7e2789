"""What a component of each kind must do, in the order the data meets it.

No component needs to import this file: a plain class with the right methods is enough. Each protocol says who calls
what, when, and what may be assumed. Methods that are marked *optional* are asked for with `hasattr`. A method that
takes keyword-only parts (`setup`, `evaluate`, `fit`) receives exactly those that its signature names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from offline_trainer_core.types import ArgsKwargs, LossOutput, RunInfo, SchedulerBundle, Stage

__all__ = [
    "IO",
    "Algorithm",
    "DataModule",
    "Evaluation",
    "Exporter",
    "Launcher",
    "Loader",
    "Logger",
    "Loss",
    "Metric",
    "OptimizerFactory",
    "Policy",
    "SchedulerFactory",
    "Stateful",
    "Step",
    "Strategy",
    "Trainer",
]


@runtime_checkable
class Stateful(Protocol):
    """Anything that must survive a restart: its state is saved in every checkpoint, under its name.

    Algorithms, metrics of training and data modules have a state on every process. Everything else, callbacks included,
    has one state, that of the first process, which all of them get back.

    A callback or hook plugin that keeps other weights for the policy than those that are trained, such as an average,
    puts them into its state under `policy_weights`, `{model: {parameter: tensor}}`: `ot eval` and `load_policy` act
    with them, and need nothing else of the callback.
    """

    def state_dict(self) -> Mapping[str, Any]:
        """Return tensors and plain values, in nests of dict, list and tuple."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` returned."""


class Loader(Protocol):
    """Iterates over the batches of one epoch. A `torch.utils.data.DataLoader` is one.

    Optional: `__len__`; `set_epoch(epoch, start=0)`, called before every epoch: the order is a function of (seed,
    epoch), and iteration begins at batch `start` (a loader without it is fast-forwarded by reading on); `device`, the
    device on which its batches already lie; `samples(epoch, batch)`, called when a batch turns out to be bad: for each
    of its rows a mapping that says what it is in the data, such as `{"sample": 17}` or `{"episode": 3, "step": 40}`;
    `close()`, called when the run has ended, for what outlives an epoch, such as workers: it may be iterated again.
    """

    def __iter__(self) -> Iterable[Any]:
        """Yield batches: any nest of dict, list, tuple and dataclass with tensors at the leaves, batch first."""


class DataModule(Protocol):
    """`data.*`: produces batches, and their statistics. Called by the trainer.

    Optional: `place(*, seed, rank, world_size, device)`, called once before `setup`: which share of every global batch
    is this process's (batch sizes are global: the same config gives the same batches on one process and on many);
    needed on more than one process. `test_dataloader()`. `stats`: a mapping from field (dotted path in a batch) to a
    mapping with the tensors `mean`, `std`, `min`, `max` and `count`. `relative_stats(field, reference, part)`:
    those of `field` less the present value of the field `reference`, of whose last dimension `part` is a slice.
    `names`: a mapping from field to what its last dimension's entries are called, such as joints. `state_dict`,
    `load_state_dict`.
    """

    def setup(self, stage: str | None) -> None:
        """Read what there is to read; `stage` is `fit`, `test` or None for both. Raises `DataError` on an empty
        dataset."""

    def train_dataloader(self) -> Loader: ...

    def val_dataloader(self) -> Loader | None: ...


class IO(Protocol):
    """`io.*`: takes a batch apart. Called by the algorithm."""

    def split(self, batch: Any, *, stage: Stage) -> tuple[ArgsKwargs, Any, Mapping[str, Any]]:
        """Return (model inputs, targets, meta). At stage `predict` a batch has no targets and they are not looked
        for."""


class Loss(Protocol):
    """`loss.*`: scores outputs. Called by the algorithm."""

    def __call__(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> LossOutput:
        """Return the scalar loss, averaged over the batch, and values to log."""


class OptimizerFactory(Protocol):
    """`optim_factory.*`: called once per optimizer, after weights are initialised, frozen, placed and wrapped.

    Parameters without gradients may be left out: then they stay as they are in the whole run, whatever a callback does.
    Optional: `freeze(model)`, called before models are wrapped: takes the gradients of parameters that are not to be
    trained.
    """

    def build(self, model: nn.Module, *, registry: Any) -> Optimizer: ...


class SchedulerFactory(Protocol):
    """`sched_factory.*`: called once per optimizer, after it was built.

    Optional: `total_steps` as a third keyword: the optimizer steps of the whole run where they are known, else None.
    """

    def build(self, optimizer: Optimizer, *, registry: Any) -> SchedulerBundle: ...


class Step(Protocol):
    """What an algorithm may ask of the trainer during one update."""

    global_step: int
    """Optimizer steps completed before this update."""
    device: torch.device
    boundary: bool
    """Whether this update completes an optimizer step; False while gradients are still being accumulated."""

    def optimize(self, names: str | tuple[str, ...], loss: Tensor) -> None:
        """Minimise `loss` with the named optimizers: backward, then, when accumulation is complete, unscale, guard,
        clip, step, zero and schedule. Gradients reach only the parameters that these optimizers own."""

    def every(self, n: int) -> bool:
        """Whether this update is an n-th one (the first is); decided on the host."""

    def observe(self, *, outputs: Any, targets: Any, batch: Any) -> None:
        """Show outputs to the metrics of training; costs nothing where there are none."""

    @property
    def optimizers(self) -> tuple[str, ...]:
        """The names of all optimizers."""


class Algorithm(Protocol):
    """`algo.*`: what one update computes and steps. Called by the trainer.

    Optional: `setup(*, <parts>)`, called once after models are placed and before optimizers exist, with the parts that
    its signature names (`model`, `models`, `modules`, `io`, `loss`, `datamodule`, `run`, ...): call `models` where
    gradients are wanted (they synchronise on many processes), and `modules`, the same networks without wrappers, for
    targets, for validation and to pass gradients through. `materialize(*, batch, <parts>)`, called before `setup`
    where a model has open dimensions: runs every model once. `validate(batch) -> (logs, outputs, targets)`, one
    validation batch, logs are means over the batch. `act(observation) -> action`, a mapping of normalized observations
    `{field: (B, ...)}` to a batch of normalized actions of the field `action_field` (default `action`); an algorithm
    that samples has `noise_shape`, such as `(T, A)`, and `act(observation, noise)` with standard normal `noise
    (B, *noise_shape)`: acting is a function of its arguments, so that it can be repeated and exported. `reset(seed)` at
    the start of episodes. `state_dict`, `load_state_dict`.
    """

    def update(self, batch: Any, step: Step) -> Mapping[str, Tensor]:
        """Do one update on a batch that lies on the device; return what is to be logged. Tensors stay on the device
        and are read at log cadence. No host synchronisation, no branch on tensor values."""


class Metric(Protocol):
    """`metric.*`: called by the trainer for every batch of validation (and of training if `stages` names it).

    Optional: `state_dict` and `load_state_dict`, without which a metric of training begins anew where a run is resumed
    in the middle of an epoch.
    """

    def update(self, *, outputs: Any, targets: Any, batch: Any, stage: Stage) -> None: ...

    def compute(self) -> Mapping[str, float | Tensor]:
        """Return the values over everything since `reset`. Optional `reduce(collectives)` is called before it on many
        processes."""

    def reset(self) -> None: ...


class Logger(Protocol):
    """`log.*`: writes somewhere. Every method is optional; called on the main process only.

    `open(run, resume_step)` comes first: relative paths are relative to `run.dir`; what was logged after `resume_step`
    (None in a fresh run) is dropped. `run.exactness` says whether a resumed run logs that again, to the bit.
    """

    def open(self, run: RunInfo, resume_step: int | None) -> None: ...

    def log_hparams(self, hparams: Mapping[str, Any]) -> None: ...

    def log_metrics(self, metrics: Mapping[str, float], *, step: int, stage: str) -> None: ...

    def close(self) -> None: ...


class Policy(Protocol):
    """Acts in an environment: raw observations in, raw actions out. `policy.*` components and trained policies alike.

    Optional: `reset(seed)`, called at the start of every batch of episodes.
    """

    def act(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Map `{field: (B, ...)}` to actions `(B, ...)`, or to chunks of actions `(B, T, ...)`."""


class Evaluation(Protocol):
    """`eval.*`: rollouts or offline evaluation of a policy. Called by the trainer and by `ot eval`."""

    def evaluate(self, policy: Policy, **parts: Any) -> Mapping[str, float]:
        """Return scores; write pictures and videos under `run.dir`.

        It receives those parts that its signature names: `run`; `step`, the optimizer steps so far; `datamodule`, set
        up, whose validation data the policy was not trained on. Of several processes the first one evaluates.
        """


class Exporter(Protocol):
    """`export.*`: writes a policy in a format that is read elsewhere, and reads it back. Called by `ot export`, and by
    `load_policy` for what was exported.

    Both may be called in different processes: nothing is kept on the object between them. Both raise `ComponentError`
    that says why, where the policy cannot be expressed in the format, or a package is missing.

    Optional: `runs_code`, True for a format whose files are programs: loading them may run anything.
    """

    def write(self, **parts: Any) -> None:
        """Write the policy into `folder`, which is there and empty but for `policy.json`, written last by the caller.

        It receives those parts that its signature names: `policy`, the `PolicyModule` on the CPU in eval mode, called
        with `(observation, noise)`; `inputs`, that very pair for a real batch of 3 rows, `noise` None where the policy
        takes none: the batch size must stay open; `folder`; `definition`, plain data from which `build_policy` makes
        the policy again with `tensors`, its tensors by name.
        """

    def load(self, *, folder: Path, device: torch.device) -> Callable[[Mapping[str, Tensor], Tensor | None], Tensor]:
        """Return what maps `(observation, noise)` on `device` to actions, as the policy did. The files in `folder` are
        those that were written: their digests were compared before."""


class Strategy(Protocol):
    """`strategy.*`: how a model lives on the processes of a run. Called by the trainer.

    Optional: `synchronise(models)`, called before validation and evaluation with what `wrap` returned: gives the
    buffers of every process the values that they have on the first one, as a checkpoint does.
    """

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return the module to call in training; its parameters are those of `model`."""

    def accumulate(self, models: Iterable[nn.Module]) -> AbstractContextManager[None]:
        """Return a context in which backward does not synchronise gradients between processes."""


class Launcher(Protocol):
    """`launcher.*`: where the processes of a run come from."""

    def launch(self, arguments: list[str], processes: int) -> int:
        """Run `ot <arguments>` on `processes` processes and return the exit code."""


class Trainer(Protocol):
    """`trainer.*`: owns the loop. `fit` asks for its parts by keyword name; `**kwargs` receives all of them."""

    def fit(self, **parts: Any) -> Any:
        """Train to the end and return a `RunResult`."""
