"""One training loop in every framework, over the same batches: what `loop_overhead.py` times.

Each contender trains the 32-64-16 MLP with fused AdamW for `steps` steps of `BATCH` rows, reads the loss every
`LOG_EVERY` steps, and returns the process CPU seconds that its loop took, without what was built before it.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

BATCH, EPOCH, LOG_EVERY, LR = 32, 500, 100, 1e-3  # EPOCH: steps of one pass over the rows
ROWS = BATCH * EPOCH
X = torch.randn(ROWS, 32, generator=torch.Generator().manual_seed(0))
Y = torch.randn(ROWS, 16, generator=torch.Generator().manual_seed(1))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 16))


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=LR, fused=True)


class Batches:
    """Gathers the rows of a shuffled permutation, batch by batch, `steps` times; no DataLoader in the way."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for step in range(self.steps):
            start = step * BATCH % ROWS
            if start == 0:
                order = torch.randperm(ROWS)
            index = order[start : start + BATCH]
            yield X.index_select(0, index), Y.index_select(0, index)


def raw(steps: int) -> float:
    model, loss_of = mlp(), nn.MSELoss()
    optimizer, logged = adamw(model), []
    begin = time.process_time()
    for step, (x, y) in enumerate(Batches(steps), 1):
        loss = loss_of(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % LOG_EVERY == 0:
            logged.append(loss.item())
    return time.process_time() - begin


def offline_trainer(steps: int) -> float:
    import loop_clock

    from offline_trainer_core import run

    with tempfile.TemporaryDirectory() as folder:
        run(_configuration(steps, folder))
    return loop_clock.seconds


def _configuration(steps: int, folder: str) -> dict[str, object]:
    data = Path(folder, "data.npz")
    np.savez(data, x=X.numpy(), y=Y.numpy())
    return {
        "schema_version": 1,
        "settings": {"allowed_import_prefixes": ["loop_clock"]},
        "imports": ["loop_clock"],
        "run": {"name": "loop", "out_dir": folder, "device": "cpu"},
        "model": {
            "sequential": {
                "inputs": ["x"],
                "layers": [
                    {"_type_": "nn.Linear", "in_features": 32, "out_features": 64},
                    {"_type_": "nn.ReLU"},
                    {"_type_": "nn.Linear", "in_features": 64, "out_features": 16},
                ],
            }
        },
        "data": {"_type_": "data.tensors", "data": str(data), "batch_size": BATCH},
        "io": {"_type_": "io.mapping", "model_kwargs": {"x": "x"}, "targets": {"y": "y"}},
        "loss": {"_type_": "loss.torch", "fn": "MSELoss"},
        "optimizer": {"_type_": "optim_factory.torch", "type": "AdamW", "kwargs": {"lr": LR, "fused": True}},
        "trainer": {"_type_": "trainer.default", "max_epochs": steps // EPOCH, "log_every_n_steps": LOG_EVERY},
        "callbacks": [{"_type_": "cb.loop_clock"}],
    }


def fabric(steps: int) -> float:
    from lightning.fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=1)
    model = mlp()
    model, optimizer = fabric.setup(model, adamw(model))
    loss_of, logged = nn.MSELoss(), []
    begin = time.process_time()
    for step, (x, y) in enumerate(Batches(steps), 1):
        loss = loss_of(model(x), y)
        optimizer.zero_grad()
        fabric.backward(loss)
        optimizer.step()
        if step % LOG_EVERY == 0:
            logged.append(loss.item())
    return time.process_time() - begin


def accelerate(steps: int) -> float:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model = mlp()
    model, optimizer = accelerator.prepare(model, adamw(model))
    loss_of, logged = nn.MSELoss(), []
    begin = time.process_time()
    for step, (x, y) in enumerate(Batches(steps), 1):
        with accelerator.accumulate(model):
            loss = loss_of(model(x), y)
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
        if step % LOG_EVERY == 0:
            logged.append(loss.item())
    return time.process_time() - begin


def lightning(steps: int) -> float:
    import lightning as L

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.loss_of, self.logged = mlp(), nn.MSELoss(), []

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            loss = self.loss_of(self.model(batch[0]), batch[1])
            if index % LOG_EVERY == 0:
                self.logged.append(loss.item())
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return adamw(self.model)

        def on_train_start(self) -> None:
            self.begin = time.process_time()

        def on_train_end(self) -> None:
            self.seconds = time.process_time() - self.begin

    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    module = Module()
    with tempfile.TemporaryDirectory() as folder:
        L.Trainer(max_steps=steps, accelerator="cpu", default_root_dir=folder, **off).fit(module, Batches(steps))
    return module.seconds


def hf_trainer(steps: int) -> float:
    import transformers

    class Clock(transformers.TrainerCallback):
        def on_train_begin(self, *_: object, **__: object) -> None:
            self.begin = time.process_time()

        def on_train_end(self, *_: object, **__: object) -> None:
            self.seconds = time.process_time() - self.begin

    class Trainer(transformers.Trainer):
        def get_train_dataloader(self) -> Batches:
            return Batches(steps)

        def compute_loss(self, model: nn.Module, inputs: tuple[Tensor, Tensor], *_: object, **__: object) -> Tensor:
            return nn.functional.mse_loss(model(inputs[0]), inputs[1])

        def _prepare_inputs(self, inputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            return inputs

    clock, model = Clock(), mlp()
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            folder, max_steps=steps, use_cpu=True, report_to=[], save_strategy="no", logging_steps=LOG_EVERY,
            disable_tqdm=True, max_grad_norm=0, per_device_train_batch_size=BATCH,
        )  # fmt: skip
        trainer = Trainer(
            model, arguments, train_dataset=Batches(steps), callbacks=[clock], optimizers=(adamw(model), None)
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    return clock.seconds


CONTENDERS: dict[str, Callable[[int], float]] = {
    "hand-written loop": raw,
    "offline trainer": offline_trainer,
    "Lightning Fabric": fabric,
    "Accelerate": accelerate,
    "Lightning Trainer, everything off": lightning,
    "HF Trainer, everything off": hf_trainer,
}
warnings.filterwarnings("ignore", module="lightning|torch|transformers")
