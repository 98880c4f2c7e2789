"""What the tests of blocks share."""

import pytest


@pytest.fixture
def shaken():
    """Return a function that moves all parameters of a module: zeros and ones that it begins with hide mistakes."""
    import torch

    torch.manual_seed(0)

    def shake(module):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
        return module

    return shake
