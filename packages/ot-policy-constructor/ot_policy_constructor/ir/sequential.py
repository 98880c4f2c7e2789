"""Reads a sequential definition: `{inputs: [x], layers: [spec, ...], return}`."""

from __future__ import annotations

from typing import Any

from offline_trainer_core import join_path
from ot_policy_constructor.ir.interface import read_inputs, read_return
from ot_policy_constructor.ir.program import SequentialIR
from ot_policy_constructor.ir.reading import Findings, Reading
from ot_policy_constructor.ir.specs import read_spec

SEQUENTIAL_KEYS = ("inputs", "layers", "return")


def parse_sequential(definition: Any, findings: Findings) -> SequentialIR:
    """Return the chain of layers that `definition` describes. It holds only where nothing was found wrong."""
    source = findings.mapping(definition, "", "a sequential model", SEQUENTIAL_KEYS)
    inputs = read_inputs(source, findings)
    if len(inputs) > 1:
        message = f"a sequential model has exactly one input, not {len(inputs)}; a graph takes several"
        findings.add("inputs", "too-many-inputs", message)
    if not source.get("layers"):
        findings.add("", "missing-key", "a sequential model needs 'layers': a list of specs")
    layers = findings.sequence(source.get("layers") or (), "layers", "'layers'")
    specs = tuple(read_spec(layer, join_path("layers", index), findings) for index, layer in enumerate(layers))
    returns = read_return(source, "single", findings)
    if returns == "dict":
        message = "the output of a sequential model has no name for 'return: dict'; a graph names its outputs"
        findings.add("return", "bad-return", message, "single")
    return SequentialIR(inputs, specs, returns)


def read_sequential(definition: Any) -> Reading:
    """Return what can be known of a sequential model without building it: its input, its problems."""
    findings = Findings()
    model = parse_sequential(definition, findings)
    return Reading(model.inputs or None, (), tuple(findings.items))
