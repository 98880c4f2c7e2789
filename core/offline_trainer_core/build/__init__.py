"""The only place where names become parts."""

from offline_trainer_core.build.device import choose_device, make_deterministic
from offline_trainer_core.build.failure import explain_failure
from offline_trainer_core.build.parts import build_parts, build_section, build_trainer
from offline_trainer_core.build.shortage import lost_worker
from offline_trainer_core.build.spec import build_spec

__all__ = [
    "build_parts",
    "build_section",
    "build_spec",
    "build_trainer",
    "choose_device",
    "explain_failure",
    "lost_worker",
    "make_deterministic",
]
