"""A hook plugin."""

from __future__ import annotations

from typing import Any

from offline_trainer_core.nest import leaves


class CrashBatch:
    """Leaves the batch at which a run died in the run folder, to look at: `crash_batch.safetensors`.

    The tensors are what the model saw, normalized; their names are their paths in the batch. Each process writes its
    own: `crash_batch_1.safetensors` and so on.
    """

    def process_optim_batch(self, batch: Any) -> None:
        self.batch = batch

    def on_exception(self, context: Any) -> None:
        if not hasattr(self, "batch"):
            return
        from safetensors.torch import save_file

        tensors = {".".join(map(str, path)): leaf for path, leaf in leaves(self.batch) if hasattr(leaf, "contiguous")}
        suffix = f"_{context.run.rank}" if context.run.rank else ""
        file = context.run.dir / f"crash_batch{suffix}.safetensors"
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, file)
