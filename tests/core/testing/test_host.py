"""What reads a value back from the device is found; what does not, is let through."""

from __future__ import annotations

import pytest
import torch

from offline_trainer_core.testing import HostRead, no_host_reads

X = torch.arange(6.0).view(2, 3)


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: bool(x.sum() > 0),
        lambda x: torch.equal(x, x),
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: x.cpu(),
        lambda x: x[x > 2],
        lambda x: x.nonzero(),
        lambda x: x.masked_select(x > 2),
        lambda x: x.unique(),
    ],
    ids=["item", "float", "bool", "equal", "tolist", "numpy", "cpu", "mask", "nonzero", "masked_select", "unique"],
)
def test_a_read_is_found(read):
    read(X)
    with pytest.raises(HostRead), no_host_reads():
        read(X)


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x[:, 1:].sum(),
        lambda x: torch.where(x > 2, x, 0.0).mean(),
        lambda x: x[torch.tensor([0, 1])],
        lambda x: x.masked_fill(x > 2, 0.0),
        lambda x: torch._foreach_lerp_([x.clone()], [x], 0.5),
        lambda x: x.detach().clone().to(torch.float64),
    ],
)
def test_what_stays_on_the_device_is_let_through(compute):
    with no_host_reads():
        compute(X)
