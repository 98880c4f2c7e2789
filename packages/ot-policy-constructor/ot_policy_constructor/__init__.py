"""YAML to `torch.nn.Module`: sequential and graph models for Offline Trainer, and for anyone."""

from ot_policy_constructor.build import build_model
from ot_policy_constructor.ir import compile_ir

__all__ = ["build_model", "compile_ir"]
