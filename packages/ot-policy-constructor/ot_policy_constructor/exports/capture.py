"""Captures a policy as one program of torch operators, in which the batch size is open."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import torch
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram

from offline_trainer_core.errors import ComponentError
from ot_policy_constructor.exports.refusals import CAPTURE, refusal

Inputs = tuple[Mapping[str, Tensor], Tensor | None]


def capture(policy: nn.Module, inputs: Inputs) -> ExportedProgram:
    """Return what `policy` computes of `(observation, noise)` as a program, for batches of any size.

    `inputs` are an example with a batch of 3: code that treats batches of one or of two in a way of its own is found by
    comparing results, not here. Raises `ComponentError`, which says why, where the policy is no such program.
    """
    observation, noise = inputs
    batch = Dim("batch", min=1)
    shapes = ({field: {0: batch} for field in observation}, None if noise is None else {0: batch})
    try:
        with quiet(), _plain_attention(), torch.no_grad():
            program = torch.export.export(policy, (dict(observation), noise), dynamic_shapes=shapes, strict=False)
    except Exception as error:
        raise refusal(error) from None
    _check_rows(program)
    _check_randomness(program)
    program.example_inputs = None  # rows of the data that it was trained on
    return program


@contextmanager
def quiet() -> Iterator[None]:
    """Keep torch from printing, warning and logging: what fails is said once, by us."""
    level = logging.root.manager.disable
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(level)


@contextmanager
def _plain_attention() -> Iterator[None]:
    # In eval mode torch's transformer layers call fused kernels, which no other format knows.
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _check_rows(program: ExportedProgram) -> None:
    signature = program.graph_signature
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    if len(signature.user_outputs) != 1 or not isinstance(action := values.get(str(signature.user_outputs[0])), Tensor):
        raise ComponentError(f"{CAPTURE}: it returns something else than one tensor of actions")
    rows = {str(values[name].shape[0]) for name in signature.user_inputs if isinstance(name, str)}
    if not action.dim() or str(action.shape[0]) not in rows:
        raise ComponentError(
            f"{CAPTURE}: the number of actions that it returns is not the number of observations that it is given, but "
            "depends on their values or on nothing; select rows with torch.where or with a mask, which keep them all"
        )


def _check_randomness(program: ExportedProgram) -> None:
    for node in program.graph.nodes:
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()) and not _is_idle_dropout(node):
            raise ComponentError(
                f"{CAPTURE}: it draws random numbers itself ({node.target}), so its actions cannot be repeated; "
                "declare 'noise_shape', and take them as the argument 'noise' of 'act'"
            )


def _is_idle_dropout(node: fx.Node) -> bool:
    """Whether this is dropout in eval mode, or attention without it: torch counts both among what is random."""
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]
    given = dict(zip(names, node.args, strict=False)) | node.kwargs
    return given.get("train") is False or ("dropout_p" in names and not given.get("dropout_p"))
