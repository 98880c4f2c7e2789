"""What a component of each kind must do, as test classes: subclass one, give it a factory, and pytest does the rest.

    from offline_trainer_core.testing import LossContract

    class TestHuber(LossContract):
        def make(self):
            return HuberLoss(delta=0.5)

        def example(self):
            return {"outputs": torch.randn(4, 2, requires_grad=True), "targets": torch.randn(4, 2), "batch": {}}

Torch is seeded alike before every check. A check that cannot hold for a component is left out with a reason:
`exempt = {"test_name": "why"}`.
"""

from offline_trainer_core.testing.algorithms import AlgorithmContract
from offline_trainer_core.testing.callbacks import CallbackContract
from offline_trainer_core.testing.contract import Contract, same
from offline_trainer_core.testing.data import DataModuleContract
from offline_trainer_core.testing.distribution import DistributionContract
from offline_trainer_core.testing.evaluations import EvaluationContract
from offline_trainer_core.testing.exporters import ExporterContract
from offline_trainer_core.testing.host import HostRead, no_host_reads
from offline_trainer_core.testing.io import IOContract
from offline_trainer_core.testing.loggers import LoggerContract
from offline_trainer_core.testing.losses import LossContract
from offline_trainer_core.testing.metrics import MetricContract
from offline_trainer_core.testing.modules import ModuleContract
from offline_trainer_core.testing.optimizers import OptimizerFactoryContract, SchedulerFactoryContract
from offline_trainer_core.testing.policies import PolicyContract
from offline_trainer_core.testing.state import StatefulContract
from offline_trainer_core.testing.trainers import TrainerContract

__all__ = [
    "AlgorithmContract",
    "CallbackContract",
    "Contract",
    "DataModuleContract",
    "DistributionContract",
    "EvaluationContract",
    "ExporterContract",
    "HostRead",
    "IOContract",
    "LoggerContract",
    "LossContract",
    "MetricContract",
    "ModuleContract",
    "OptimizerFactoryContract",
    "PolicyContract",
    "SchedulerFactoryContract",
    "StatefulContract",
    "TrainerContract",
    "no_host_reads",
    "same",
]
