"""`export.onnx`: one file that ONNX Runtime, and much else, runs without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from offline_trainer_core.errors import ComponentError
from ot_policy_constructor.exports.capture import Inputs, capture, quiet
from ot_policy_constructor.exports.refusals import onnx_refusal

FILE = "policy.onnx"
NOISE = "noise"


class ONNX:
    """Writes the policy as an ONNX model, with weights and normalizer inside.

    `policy.onnx` has the fields of the observation as inputs, by their names, `noise` where the policy takes it, and
    the output `action`; the first dimension of each is the batch. Weights beyond 2 GB lie in a file beside it.
    Raises `ComponentError` as `export.torch_export` does, and for operators that ONNX lacks.
    """

    def write(self, *, policy: nn.Module, inputs: Inputs, folder: Path) -> None:
        """Write `policy.onnx`."""
        observation, noise = inputs
        names = [*observation, NOISE] if noise is not None else list(observation)
        program = capture(policy, inputs)
        try:
            with quiet():
                written = torch.onnx.export(program, input_names=names, output_names=["action"], dynamo=True)
        except Exception as error:
            raise onnx_refusal(error) from None
        written.save(folder / FILE)  # type: ignore[union-attr] # None where it is given a file to write

    def load(self, *, folder: Path, device: torch.device) -> Callable[[Mapping[str, Tensor], Tensor | None], Tensor]:
        """Return the model in a session of ONNX Runtime.

        Raises `ComponentError` where that cannot use `device`, or lacks an operator of the model.
        """
        import onnxruntime

        provider = f"{device.type.upper()}ExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise ComponentError(
                f"the ONNX Runtime that is installed cannot use the device '{device.type}': load the policy on the "
                "CPU, or pip install onnxruntime-gpu"
            )
        try:
            session = onnxruntime.InferenceSession(folder / FILE, providers=[provider])
        except Exception as error:  # its exceptions have no base of their own
            first = str(error).partition("\n")[0]
            raise ComponentError(f"ONNX Runtime {onnxruntime.__version__} cannot run the policy: {first}") from error
        names = [given.name for given in session.get_inputs()]

        def act(observation: Mapping[str, Tensor], noise: Tensor | None = None) -> Tensor:
            given = observation if noise is None else {**observation, NOISE: noise}
            (action,) = session.run(None, {name: given[name].cpu().numpy() for name in names})
            return torch.from_numpy(action).to(device)

        return act
