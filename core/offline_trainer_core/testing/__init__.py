"""What a component of each kind must do, as test classes: subclass one, give it a factory, and pytest does the rest.

    from offline_trainer_core.testing import LossContract

    class TestHuber(LossContract):
        def make(self):
            return HuberLoss(delta=0.5)

        def example(self):
            return {"outputs": torch.randn(4, 2, requires_grad=True), "targets": torch.randn(4, 2), "batch": {}}

A check that cannot hold for a component is left out with a reason: `exempt = {"test_name": "why"}`.
"""

from offline_trainer_core.testing.contract import Contract
from offline_trainer_core.testing.data import DataModuleContract
from offline_trainer_core.testing.distribution import DistributionContract
from offline_trainer_core.testing.losses import LossContract
from offline_trainer_core.testing.metrics import MetricContract
from offline_trainer_core.testing.optimizers import OptimizerFactoryContract, SchedulerFactoryContract
from offline_trainer_core.testing.policies import PolicyContract
from offline_trainer_core.testing.state import StatefulContract

__all__ = [
    "Contract",
    "DataModuleContract",
    "DistributionContract",
    "LossContract",
    "MetricContract",
    "OptimizerFactoryContract",
    "PolicyContract",
    "SchedulerFactoryContract",
    "StatefulContract",
]
