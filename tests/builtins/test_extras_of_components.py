"""Components with an optional dependency say what to install where it is missing."""

from __future__ import annotations

import sys

import pytest
import torch  # noqa: F401 - some of these components import it at once

from offline_trainer_core.errors import ComponentError
from ot_builtins.callbacks.loss_plot import LossPlot
from ot_builtins.evals.gymnasium import Gymnasium
from ot_builtins.loggers.mlflow import MLflow
from ot_builtins.loggers.tensorboard import TensorBoard
from ot_builtins.loggers.wandb import Wandb

CASES = [
    (Wandb, {}, "wandb", "wandb"),
    (MLflow, {}, "mlflow", "mlflow"),
    (TensorBoard, {}, "tensorboard", "tensorboard"),
    (LossPlot, {}, "matplotlib", "plots"),
    (Gymnasium, {"env_id": "CartPole-v1"}, "gymnasium", "gymnasium"),
]


@pytest.mark.parametrize(("component", "arguments", "module", "extra"), CASES)
def test_the_message_has_the_command(component, arguments, module, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)  # what Python itself does to block an import
    with pytest.raises(ComponentError, match=rf"pip install 'ot-builtins\[{extra}\]'"):
        component(**arguments)
