"""What can be done with a configuration: check it, run it, rehearse it, launch it; and evaluate what came out."""

from offline_trainer_core.run.chain import run
from offline_trainer_core.run.checked import build_registry, check_config
from offline_trainer_core.run.evaluate import evaluate
from offline_trainer_core.run.launch import launch
from offline_trainer_core.run.rehearse import rehearse

__all__ = ["build_registry", "check_config", "evaluate", "launch", "rehearse", "run"]
