"""Says in words why a policy cannot be exported: what its code does, where, and what to write instead."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from traceback import walk_tb
from typing import NamedTuple

import torch

from offline_trainer_core.errors import ComponentError

CAPTURE = "the policy cannot be captured as one program"
KEPT = "export it as safetensors, which keeps its Python code"


class _Reason(NamedTuple):
    """What a failure of torch means, told by a word of its message."""

    word: str
    why: str
    instead: str


REASONS = (
    _Reason(
        "specialized integer from data-dependent",
        "it turns the value of a tensor into a number of Python",
        "keep it a tensor",
    ),
    _Reason(
        "data-dependent",
        "what it does next depends on the values of a tensor",
        "choose between values with torch.where, and make distributions with validate_args=False",
    ),
    _Reason(
        "Constraints violated",
        "it works for some batch sizes only: it takes the length of a tensor (len), loops over rows, or has a size "
        "written into it",
        "treat all rows at once, and write -1 or x.shape[0] where the size of the batch belongs",
    ),
    _Reason(
        "expected to contain only concrete integers",
        "it needs the size of the batch as a number, as torch.randn does with a generator",
        "take random numbers as the argument 'noise' of 'act'",
    ),
    _Reason(".numpy() is not supported", "it leaves torch for NumPy", "compute with torch"),
)


def refusal(error: Exception) -> ComponentError:
    """Return what to raise for a failure of `torch.export`."""
    text = str(error)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    why, instead = f"{type(error).__name__}: {lines[0] if lines else 'no message'}", KEPT
    for reason in REASONS:
        if reason.word in text:
            why, instead = reason.why, f"{reason.instead}; or {KEPT}"
            break
    refused = ComponentError(f"{CAPTURE}: {why}{_place(error)}; {instead}")
    refused.__notes__ = list(getattr(error, "__notes__", ()))  # type: ignore[attr-defined, unused-ignore]
    return refused


def onnx_refusal(error: Exception) -> ComponentError:
    """Return what to raise where ONNX has no way to say an operator."""
    text, cause = str(error), error.__cause__
    while cause is not None:
        text, cause = f"{text}\n{cause}", cause.__cause__
    operators = re.findall(r"target=torch\.ops\.(\w+\.\w+)", text)
    if operators:
        return ComponentError(
            f"the policy cannot be written as ONNX: it uses {operators[0]}, and ONNX has no such operator; use "
            "another, or export it as torch.export or as safetensors"
        )
    first = text.splitlines()[0]
    return ComponentError(f"the policy cannot be written as ONNX: {first}; export it as torch.export or as safetensors")


def _place(error: Exception) -> str:
    """Return the line of code that is not torch's own where `error` came from."""
    inside = str(Path(torch.__file__).parent)
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    own = [(code, line) for code, line in frames if _is_users(code.co_filename, inside)]
    if not own:
        return ""
    code, line = own[-1]
    return f", in {code.co_name} at {code.co_filename}:{line}"


def _is_users(file: str, torch_folder: str) -> bool:
    ours = str(Path(__file__).parent)
    return Path(file).is_absolute() and not file.startswith((torch_folder, ours, sys.base_prefix + "/lib/python"))
