"""From names in a configuration to entries of installed distributions, and everything that is wrong with them."""

from offline_trainer_core.plan.consequences import without_consequences
from offline_trainer_core.plan.local import LocalModule
from offline_trainer_core.plan.plan import Plan, plan_difference
from offline_trainer_core.plan.report import CheckReport, Layer, check_config_tree, make_plan, report_unresolved

__all__ = [
    "CheckReport",
    "Layer",
    "LocalModule",
    "Plan",
    "check_config_tree",
    "make_plan",
    "plan_difference",
    "report_unresolved",
    "without_consequences",
]
