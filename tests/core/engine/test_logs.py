"""The window of logs beside means written out."""

from __future__ import annotations

import pytest
import torch

from offline_trainer_core.distributed import OneProcess
from offline_trainer_core.engine.logs import LogWindow
from offline_trainer_core.testing import HostRead, no_host_reads


@pytest.fixture
def window():
    return LogWindow(OneProcess())


def test_each_value_is_the_mean_of_the_updates_that_logged_it(window):
    window.add({"loss": torch.tensor(1.0), "rate": 4})
    window.add({"loss": torch.tensor(2.0)})
    window.add({"loss": torch.tensor(6.0), "rate": 5.0})
    assert window.read() == {"loss": 3.0, "rate": 4.5}


def test_reading_begins_anew(window):
    assert window.empty
    window.add({"loss": 1.0})
    assert not window.empty
    window.read()
    assert window.empty
    assert window.read() == {}
    window.add({"loss": 5.0})
    assert window.read() == {"loss": 5.0}


def test_adding_reads_nothing_and_keeps_no_graph(window):
    loss = torch.ones(3, requires_grad=True).square().sum()
    with no_host_reads():
        window.add({"loss": loss})
    assert not window.state_dict()["loss"].requires_grad
    with pytest.raises(HostRead), no_host_reads():
        window.read()


def test_a_half_full_window_survives_a_restart(window):
    rows = [
        {"loss": torch.tensor(0.1 * i), "late": 2.0} if i > 2 else {"loss": torch.tensor(0.1 * i)} for i in range(6)
    ]
    for row in rows:
        window.add(row)
    first, second = LogWindow(OneProcess()), LogWindow(OneProcess())
    for row in rows[:4]:
        first.add(row)
    second.load_state_dict(first.state_dict())
    for row in rows[4:]:
        second.add(row)
    assert second.read() == window.read()


def test_processes_log_the_mean_over_all_of_them():
    class OneOfTwo(OneProcess):
        world_size = 2

        def all_reduce_sum(self, tensor):
            return tensor + torch.tensor([3.0])

    window = LogWindow(OneOfTwo())
    window.add({"loss": 1.0})
    assert window.read() == {"loss": 2.0}
