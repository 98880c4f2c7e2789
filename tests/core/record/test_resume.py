"""Real models, optimizers, schedulers and generators go on from a checkpoint as if nothing had happened."""

import random

import numpy as np
import pytest
import torch
from torch import nn

COUNTERS = {"global_step": 3}


class Training:
    """Two models, two optimizers, several kinds of scheduler, dropout and noise from three generators."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        self.encoder = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Flatten())
        self.encoder.to(memory_format=torch.channels_last)
        self.head = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
        self.head[1].weight = self.head[0].weight
        optimizers = (
            torch.optim.AdamW(self.encoder.parameters(), 0.01),
            torch.optim.SGD(self.head.parameters(), 0.01, 0.9),
        )
        schedule = torch.optim.lr_scheduler
        warmup, cosine = schedule.LinearLR(optimizers[0]), schedule.CosineAnnealingLR(optimizers[0], 5)
        self.parts = {
            "models.encoder": self.encoder,
            "models.head": self.head,
            "optimizers.encoder": optimizers[0],
            "optimizers.head": optimizers[1],
            "schedulers.encoder": schedule.SequentialLR(optimizers[0], [warmup, cosine], milestones=[2]),
            "schedulers.head": schedule.MultiStepLR(optimizers[1], [2, 4, 4]),
            "schedulers.plateau": schedule.ReduceLROnPlateau(optimizers[1], patience=0),
        }

    def step(self) -> None:
        x = torch.randn(8, 2, 6, 6) + float(np.random.rand()) * random.random()
        loss = self.head(self.encoder(x)).square().mean()
        for name, part in self.parts.items():
            if name.startswith("optimizers"):
                part.zero_grad()
        loss.backward()
        for name, part in self.parts.items():
            if name.startswith(("optimizers", "schedulers")):
                part.step(loss.item()) if name.endswith("plateau") else part.step()

    def state(self) -> dict:
        generators = {"torch": torch.get_rng_state(), "numpy": np.random.get_state(), "python": random.getstate()}
        return {name: part.state_dict() for name, part in self.parts.items()} | {"rank0.generators": generators}

    def restore(self, state: dict, leave_out: str = "") -> None:
        for name, part in self.parts.items():
            if name != leave_out:
                part.load_state_dict(state[name])
        generators = state["rank0.generators"]
        if leave_out != "rank0.generators":
            torch.set_rng_state(generators["torch"])
            np.random.set_state(generators["numpy"])
            random.setstate(generators["python"])


@pytest.fixture
def uninterrupted(store):
    """Train six steps, with a checkpoint after three; return the state at the end."""
    training = Training(seed=0)
    for step in range(6):
        if step == 3:
            store.save("step_3", training.state(), counters=COUNTERS)
        training.step()
    return training.state()


def resumed(store, leave_out: str = "") -> dict:
    training = Training(seed=1)
    training.restore(store.load("step_3").state, leave_out)
    for _ in range(3):
        training.step()
    return training.state()


def test_a_resumed_training_ends_bit_by_bit_where_the_uninterrupted_one_did(store, uninterrupted, assert_same):
    assert_same(resumed(store), uninterrupted)


@pytest.mark.parametrize("part", [*Training(0).parts, "rank0.generators"])
def test_every_saved_part_matters(store, uninterrupted, assert_same, part):
    with pytest.raises(AssertionError):
        assert_same(resumed(store, leave_out=part), uninterrupted)


def test_the_state_of_a_training_comes_back_bit_by_bit(store, assert_same):
    training = Training(seed=0)
    training.step()
    state = training.state()
    store.save("step_1", state, counters=COUNTERS)
    assert_same(store.load("step_1").state, state)


def test_a_gradient_scaler_and_low_precision_weights_come_back(store, assert_same):
    model = nn.Linear(3, 3, dtype=torch.bfloat16)
    state = {"models.policy": model.state_dict(), "precision": torch.amp.GradScaler("cpu").state_dict()}
    store.save("step_1", state, counters=COUNTERS)
    assert_same(store.load("step_1").state, state)
